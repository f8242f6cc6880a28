"""Runs one server for as long as somebody uses it: `python keeper.py FOLDER USER PROGRAM ARGUMENT…`.

Whoever uses the server holds FOLDER/users locked, shared. The kernel gives the lock back when a process ends, however
it ends; when nobody holds it any more, the server is stopped and the folder removed. So nothing is left running.
It goes on in the background. When the server ends by itself, there is FOLDER/ended.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BETWEEN_LOOKS = 0.1


def keep(folder: Path, user: str, command: list[str]) -> None:
    with (folder / "log").open("ab") as log, (folder / "users").open("rb") as users:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **as_user(user))
        while server.poll() is None:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(BETWEEN_LOOKS)
                continue
            server.send_signal(signal.SIGQUIT)
            server.wait()
            shutil.rmtree(folder, ignore_errors=True)
            return
    (folder / "ended").touch()


def as_user(user: str) -> dict[str, Any]:
    """Return how `subprocess` becomes this user, who has no other groups; "" stays who it is."""
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    os.setsid()  # an interrupt in the terminal is meant for the tests
    log_of_both = os.open(Path(sys.argv[1]) / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log_of_both, 1)  # whoever waits for the end of the tests' output does not wait for this one
    os.dup2(log_of_both, 2)
    keep(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
