"""`tidings new`."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from tidings.cli.output import Output
from tidings.cli.session import AsJson
from tidings.errors import RefusedError

FILES = MappingProxyType(
    {
        "pyproject.toml": "pyproject.toml",
        "tidings.toml": "tidings.toml",
        "{module}.py": "module.py",
        "tests/test_{module}.py": "test_module.py",
        "README.md": "README.md",
        ".gitignore": "gitignore",
    }
)
"""What is written, and the template it is made from."""
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_TAKEN = frozenset({"tidings", "pytest", "test", "tests", "conftest"})
"""Names that would be confused with others; Python leaves its own `test` out of the list of its modules."""
LONGEST = 60


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The project's name, and its folder's, such as my-shop.")],
    as_json: AsJson = False,
) -> None:
    """Make a folder with an application to begin from, and its tests. Exit code 1 if something is there already.

    Example: tidings new my-shop
    """
    module = _module_of(name)
    folder = Path.cwd() / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedError(f"{name} is there already and not an empty folder: choose another name, or empty it")
    _check_hides_nothing(name, module)
    texts = _texts({"name": name, "module": module})
    _write(folder.resolve(), texts)
    output = Output(as_json=as_json)
    if as_json:
        output.json({"folder": str(folder), "app": f"{module}:app", "files": list(texts)})
    output.say(
        f"{name} has {', '.join(texts)}\n\nNext:\n  cd {name}\n  pip install -e '.[test]'\n  pytest\n  tidings run"
    )


def _module_of(name: str) -> str:
    """Return the name that the application is imported by; BadParameter if there can be none."""
    if len(name) > LONGEST or _NAME.fullmatch(name) is None:
        raise typer.BadParameter(
            f"{name[:LONGEST]!r} cannot name a project: write small letters, digits and single hyphens, a letter "
            f"first, at most {LONGEST} in all, such as my-shop"
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in _TAKEN:
        raise typer.BadParameter(f"{name!r} is a name that Python or tidings has already: choose one such as my-{name}")
    return module


def _check_hides_nothing(name: str, module: str) -> None:
    if _is_installed(module):
        raise typer.BadParameter(
            f"{name!r} would hide the package {module} that is installed here: choose one such as my-{name}"
        )


def _is_installed(module: str) -> bool:
    """Say whether this name is imported already, from elsewhere than the folder in which the command is called."""
    from importlib.util import find_spec

    spec = find_spec(module)
    if spec is None:
        return False
    places = spec.submodule_search_locations or [spec.origin or ""]
    return any(Path(place).parent != Path.cwd() for place in places)


def _texts(words: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each file, by its path in the project."""
    from importlib.resources import files
    from string import Template

    folder = files("tidings.cli") / "project"
    return {
        name.format(**words): Template((folder / f"{template}.template").read_text("utf-8")).substitute(words)
        for name, template in FILES.items()
    }


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files beside, and give them their place when all are there: a project is whole, or not at all."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(dir=folder.parent, prefix=".tidings-new-") as beside:
        made = Path(beside) / folder.name
        for name, text in texts.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        if folder.exists():
            folder.rmdir()  # it is empty, and not everywhere a folder may be renamed over another one
        made.rename(folder)
