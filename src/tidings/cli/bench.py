"""`tidings bench`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from tidings.cli.session import AsJson
from tidings.errors import SettingError


def bench(
    only: Annotated[
        list[str] | None, typer.Option(metavar="MEASURE", help="Only this measure; may be given again.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to see that all runs; nothing fails.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table in Markdown.")] = False,
    folder: Annotated[str | None, typer.Option(help="Where databases are made; it must lie on a disk.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure tidings on this machine, in a clone of its source. Exit code 1 if something promised was missed.

    Example: tidings bench --quick --only append-batches
    """
    import os
    import subprocess

    here = Path.cwd()
    if not all((here / part).exists() for part in ("benchmarks/__main__.py", "src/tidings", "pyproject.toml")):
        raise SettingError(
            f"{here} is no clone of tidings, and its benchmarks are not installed with it: clone its source, and "
            "run `make bench` there, or `tidings bench`"
        )
    missing = [name for name in _needed(here) if not _is_installed(name)]
    if missing:
        raise SettingError(
            f"what is measured beside tidings is not installed here ({', '.join(missing)}): `make bench` installs and "
            "runs it"
        )
    flags = [("--quick", quick), ("--markdown", markdown), ("--json", as_json)]
    arguments = [name for name, is_given in flags if is_given]
    arguments += [part for measure in only or () for part in ("--only", measure)]
    arguments += ["--folder", folder] if folder is not None else []
    paths = [str(here / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]  # measured is what stands here
    command = [sys.executable, "-m", "benchmarks", *arguments]
    raise typer.Exit(subprocess.call(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}))  # noqa: S603


def _needed(clone: Path) -> list[str]:
    """Return the packages that the clone's own list names for its benchmarks."""
    import tomllib

    groups = tomllib.loads((clone / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return [found[0] for line in groups["bench"] if (found := re.match(r"[\w.-]+", line))]


def _is_installed(package: str) -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True
