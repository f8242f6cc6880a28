"""Processes of the program that are begun without importing it anew, which is most of what a short one costs.

    ended = run("tidings", "doctor", folder=folder, environment=environment)

is `python -m tidings doctor` there: a process of its own with that folder, environment and streams. `begin` does not
wait for its end. How the program is imported is not seen so; a test that is about this begins an interpreter itself.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from tests.warm import server
from tests.warm.begun import Begun

IMPORTED = (
    "tidings.cli.program",
    "tidings.cli.shapes",
    "tidings.api.serve",
    "tidings.backends.postgres.store",
    "tidings.backends.sqlite",
    "tidings.testing",
    "aiohttp",
    "pydantic.type_adapter",
)
"""What most of them import, or what that imports."""
AT_START = ("PYTHON", "LC_", "LANG")
"""How variables begin that an interpreter reads as it starts."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code, below 0 if by a signal, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(
    module: str,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    given: str | None = None,
    timeout: float = 60.0,
) -> Ended:
    """Run a module to its end. `given`: its standard input, which else is ours. `timeout`: seconds, after which it is
    killed and a TimeoutError raised."""
    if _starts_otherwise(environment):
        return run_anew(module, *arguments, folder=folder, environment=environment, given=given, timeout=timeout)
    with ExitStack() as closing:
        out, err, read = (closing.enter_context(TemporaryFile("w+", encoding="utf-8")) for _ in range(3))
        read.write(given or "")
        read.seek(0)
        streams = [0 if given is None else read.fileno(), out.fileno(), err.fileno()]
        begun = _begun(streams, module, arguments, folder, environment)
        try:
            code = begun.wait(timeout)
        except subprocess.TimeoutExpired:
            begun.kill()
            begun.wait()
            raise TimeoutError(f"it did not end within {timeout} s") from None
        out.seek(0)
        err.seek(0)
        return Ended(code, out.read(), err.read())


def begin(
    module: str,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    records: IO[bytes] | None = None,
) -> Begun:
    """Begin a module. `records`: what it writes to; else there are streams to read. Its standard input is ours."""
    assert not _starts_otherwise(environment), "only a new interpreter reads these"
    with ExitStack() as closing:
        if records is not None:
            return _begun([0, records.fileno(), records.fileno()], module, arguments, folder, environment)
        reading, streams = [], [0]
        for _ in range(2):
            read, write = os.pipe()
            closing.callback(os.close, write)
            reading.append(os.fdopen(read, encoding="utf-8"))
            streams.append(write)
        return _begun(streams, module, arguments, folder, environment, reading)


def run_anew(
    module: str,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    given: str | None = None,
    timeout: float = 60.0,
) -> Ended:
    """Run it as `run` does, in an interpreter that starts for it."""
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def _starts_otherwise(environment: Mapping[str, str]) -> bool:
    names = {name for name in (*environment, *os.environ) if name.startswith(AT_START)} - {"PYTHONPATH"}
    return any(environment.get(name) != os.environ.get(name) for name in names)


def _begun(
    streams: Sequence[int],
    module: str,
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    reading: Sequence[IO[str]] = (),
) -> Begun:
    told, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(_asking(), [b"."], [theirs.fileno(), *streams])
    wanted = {"module": module, "arguments": arguments, "folder": str(folder), "environment": dict(environment)}
    told.sendall(json.dumps(wanted).encode())
    told.shutdown(socket.SHUT_WR)
    return Begun(told, *reading)


@cache
def _asking() -> socket.socket:
    """Return the socket on which the server of this process, begun now, is asked."""
    ours, theirs = socket.socketpair()
    with theirs:
        started = subprocess.Popen([sys.executable, server.__file__, *IMPORTED], stdin=theirs)

    def end() -> None:
        ours.close()
        started.wait()

    atexit.register(end)
    return ours
