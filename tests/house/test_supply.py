"""What is shipped: nothing that makes code of data, nothing that is not pinned, and the same bytes every time."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READERS = {"pickle", "cPickle", "marshal", "shelve", "dill", "yaml", "jsonpickle"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp"}
BY_NAME = {"importlib.import_module": {"tidings/cli/loading.py"}}
"""What imports by a name, and where it may: only a name that an operator gave."""


def forbidden(text: str, where: str) -> set[str]:
    """Return what a module does that none may."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.partition(".")[0] in READERS}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} if node.module and node.module.partition(".")[0] in READERS else set()
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            shell = any(each.arg == "shell" for each in node.keywords)
            is_wrong = name in CALLS or (name in BY_NAME and where not in BY_NAME[name]) or shell
            found |= {name} if is_wrong else set()
    return found


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheel, built twice."""
    return [built(tmp_path_factory.mktemp("wheel")) for _ in range(2)]


def built(folder: Path) -> Path:
    arguments = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", str(ROOT), *arguments], check=True, timeout=120)
    [wheel] = folder.glob("*.whl")
    return wheel


def test_forbidden_calls(wheels: list[Path]) -> None:
    with zipfile.ZipFile(wheels[0]) as wheel:
        modules = {name: wheel.read(name).decode() for name in wheel.namelist() if name.endswith(".py")}
    assert len(modules) > 100
    assert {name: wrong for name, text in modules.items() if (wrong := forbidden(text, name))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "eval('1')",
        "import pickle",
        "from yaml import load",
        "__import__('x')",
        "import importlib\nimportlib.import_module(stored)",
        "import subprocess\nsubprocess.run('x', shell=True)",
        "import os\nos.system('x')",
    ],
)
def test_a_forbidden_call_is_found(text: str) -> None:
    assert forbidden(text, "tidings/somewhere.py")


def test_wheel_is_reproducible(wheels: list[Path]) -> None:
    first, second = (hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels)
    assert first == second


def test_workflows_are_pinned() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
    assert re.findall(r"pip install(?!.*-c constraints\.txt).*", (ROOT / ".ci" / "run").read_text("utf-8")) == []
    makefile = (ROOT / "Makefile").read_text("utf-8").partition("\nconstraints:")[0]
    installs = [line for line in makefile.splitlines() if re.search(r"\$\(PIP\) install", line)]
    assert installs
    assert [line for line in installs if "-c constraints.txt" not in line] == []
