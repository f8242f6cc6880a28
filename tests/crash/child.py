"""A process that works until it is done or killed: `python -m tests.crash.child WORK FOLDER POINT NTH OPTIONS`.

With the option "stop" it is stopped at the point (SIGSTOP), and can be continued.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from tests.crash.points import Signalled
from tests.crash.work import WORKS
from tidings.ports import Ports


def main(work: str, folder: str, point: str, nth: str, options: str) -> None:
    which = signal.SIGSTOP if "stop" in options.split() else signal.SIGKILL
    ports = Ports(points=Signalled(point, int(nth), which))
    asyncio.run(WORKS[work](Path(folder), ports, options))


if __name__ == "__main__":
    main(*sys.argv[1:])
