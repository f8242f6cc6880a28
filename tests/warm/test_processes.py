"""A process that is begun so is as `python -m` makes it, and one of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warm import processes
from tests.warm.begun import Begun
from tests.warm.processes import begin, run

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


LONG = """
import signal, sys
sys.stdout.reconfigure(errors="backslashreplace")  # which asks where it stands, unless it is a pipe
print(sys.argv, flush=True)
signal.pause()
"""


@pytest.fixture
def long(tmp_path: Path) -> Iterator[Begun]:
    (tmp_path / "long.py").write_text(LONG, "utf-8")
    begun = begin("long", "--two words", folder=tmp_path, environment=os.environ)
    yield begun
    begun.kill()
    begun.communicate()


def test_what_is_begun_goes_on_and_is_read_meanwhile(long: Begun) -> None:
    assert long.stdout is not None
    assert "--two words" in long.stdout.readline()
    assert (long.poll(), long.returncode) == (None, None)
    with pytest.raises(subprocess.TimeoutExpired):
        long.wait(0.05)
    with pytest.raises(subprocess.TimeoutExpired):
        long.communicate(0.05)
    assert Path(f"/proc/{long.pid}").exists() or sys.platform != "linux"


def test_what_is_begun_ends_by_the_signals_that_it_is_sent(long: Begun) -> None:
    assert long.stdout is not None
    long.stdout.readline()
    long.terminate()
    assert (long.wait(30), long.poll(), long.returncode) == (-signal.SIGTERM,) * 3
    long.send_signal(signal.SIGKILL)  # nobody is hit who has this number now


def test_what_is_begun_may_have_ended_before_it_is_looked_at(asked: Path) -> None:
    begun = begin("asked", "ended", folder=asked, environment=os.environ)
    out, err = begun.communicate(30)
    assert out.endswith("the end\n")
    assert (begun.returncode, err) == (3, "\n")


def test_what_is_begun_writes_where_it_is_told(asked: Path) -> None:
    with (asked / "records").open("ab") as records:
        begun = begin("asked", "said", folder=asked, environment=os.environ, records=records)
    assert (begun.wait(30), begun.communicate()) == (1, ("", ""))
    assert (asked / "records").read_text("utf-8").endswith("said\n")


def test_what_nobody_waits_for_any_more_is_not_waited_for_in_vain() -> None:
    told, theirs = socket.socketpair()
    with told, theirs:
        theirs.sendall(b"4711\n")
        begun = Begun(told)
        theirs.close()
        with pytest.raises(RuntimeError, match="has ended"):
            begun.wait(30)
