"""Begins `python -m MODULE ARGUMENT…` as often as it is asked to, without importing again what it has imported once.

For each it splits itself in two (fork): one half waits for the other, which becomes the program. What an interpreter
reads only as it starts, PYTHON… but for PYTHONPATH and the locale, is as it was when this one started.
Its standard input is a socket, on which whoever started it asks; when that one ends, so does it.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import socket
import sys
from typing import Any

PATHS = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def serve(asking: socket.socket) -> dict[str, Any]:
    """Begin what is asked for until nobody asks any more; return what to run, in the process that is to run it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that wait need nobody who waits for them
    while True:
        sign, files, _, _ = socket.recv_fds(asking, 1, 4)
        if not sign:
            sys.exit()
        if os.fork() == 0:
            return _begin(socket.socket(fileno=files[0]), files[1:])
        for file in files:
            os.close(file)


def _begin(asked: socket.socket, streams: list[int]) -> dict[str, Any]:
    """Become two processes: one tells the other's number and how it ended, and ends; the other returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with asked, asked.makefile("r", encoding="utf-8") as said:
        wanted: dict[str, Any] = json.load(said)
        process = os.fork()
        if process:
            for stream in streams:
                os.close(stream)
            asked.sendall(f"{process}\n".encode())
            asked.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}\n".encode())
            os._exit(0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return wanted


def _open_streams() -> None:
    """Look at what the streams lead to now, as an interpreter does that starts: a pipe has no place to go back to."""
    for name, mode, buffering in (("stdin", "r", -1), ("stdout", "w", -1), ("stderr", "w", 1)):
        was = getattr(sys, name)
        made = open(was.fileno(), mode, buffering, was.encoding, was.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)


def become(wanted: dict[str, Any]) -> None:
    """Go to the folder, take the environment, and run the module as `python -m` does."""
    _open_streams()
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    theirs = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [os.getcwd(), *theirs, *(path for path in sys.path[1:] if path not in PATHS)]
    sys.argv[1:] = wanted["arguments"]
    runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for module in sys.argv[1:]:
        __import__(module)
    gc.collect()
    gc.freeze()  # else each of its halves would copy what it only looks at
    with socket.socket(fileno=os.dup(0)) as asking:
        wanted = serve(asking)
    become(wanted)
