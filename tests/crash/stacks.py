"""A process that tells where it stands when it is asked by a signal."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys

TELL_THREADS = signal.SIGUSR1
TELL_TASKS = signal.SIGUSR2
ALL_TOLD = "all tasks are told"


def tell_when_asked() -> None:
    """Have the signals print the stacks of all threads, and of all tasks."""
    faulthandler.register(TELL_THREADS)
    signal.signal(TELL_TASKS, _tell_tasks)


def _tell_tasks(*_: object) -> None:
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    print(ALL_TOLD, file=sys.stderr, flush=True)
