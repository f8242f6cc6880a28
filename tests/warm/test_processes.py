"""A process that is begun so is as `python -m` makes it, and one of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.warm import processes
from tests.warm.processes import run

ASKED = """
import os, sys, mine
print(sys.argv, __name__, sys.path, os.getcwd(), mine.__file__, dict(os.environ), sys.stdout.encoding)
print(sys.stdin.read(), file=sys.stderr)
mine.end(sys.argv[1])
"""
MINE = """
import os, signal, sys
def end(how):
    print("the end")
    if how == "killed":
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit(how if how == "said" else 3)
"""


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    (tmp_path / "asked.py").write_text(ASKED, "utf-8")
    (tmp_path / "mine.py").write_text(MINE, "utf-8")
    return tmp_path


@pytest.mark.parametrize(("how", "code"), [("ended", 3), ("said", 1), ("killed", -9)])
def test_a_process_is_as_python_makes_it(asked: Path, how: str, code: int) -> None:
    paths = [f"{asked}/further", *filter(None, [os.environ.get("PYTHONPATH")])]  # an empty one would be the folder
    environment = {**os.environ, "MINE": "é", "PYTHONPATH": os.pathsep.join(paths)}
    ended = run("asked", how, "--two words", folder=asked, environment=environment, given="given\n")
    assert ended.code == code
    assert ended == processes.run_anew(
        "asked", how, "--two words", folder=asked, environment=environment, given="given\n"
    )


def test_each_process_is_another(tmp_path: Path) -> None:
    (tmp_path / "name.py").write_text("from tidings.ports import this_process; print(this_process())", "utf-8")
    names = [run("name", folder=tmp_path, environment=os.environ).out for _ in range(3)]
    assert len(set(names)) == 3


def test_what_takes_too_long_is_killed(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("import os, signal; open('began', 'w').write(str(os.getpid())); signal.pause()")
    with pytest.raises(TimeoutError):
        run("long", folder=tmp_path, environment=os.environ, timeout=0.2)


def test_variables_that_are_read_at_the_start_are_read(tmp_path: Path) -> None:
    (tmp_path / "mode.py").write_text("import sys; print(sys.flags.dev_mode)", "utf-8")
    assert run("mode", folder=tmp_path, environment={**os.environ, "PYTHONDEVMODE": "1"}).out == "True\n"
