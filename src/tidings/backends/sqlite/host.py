"""The file that a SQLite database is, and the disk it lies on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tidings.backends.sqlite.database import MEMORY
from tidings.store.host import Check

DISK_BYTES = 1 << 30


class SqliteHost:
    """See `tidings.store.host.Host`."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def hole_seconds(self) -> float:
        return 0.0  # writers take turns, so no position stays open behind a later one

    async def problem(self) -> str | None:
        return None if self._path == MEMORY else _file_problem(self._path)

    async def look(self) -> Sequence[Check]:
        return (Check("disk", None if self._path == MEMORY else _disk_problem(self._path)),)


def _file_problem(path: str) -> str | None:
    if not Path(path).is_file():
        return f"the database {path} is not there any more: stop what uses it, and put it back from a copy"
    folder = Path(path).resolve().parent
    if not (os.access(path, os.W_OK) and os.access(folder, os.W_OK)):
        return f"{path} and its folder must be writable: SQLite keeps two more files beside it"
    return None


def _disk_problem(path: str) -> str | None:
    folder = Path(path).resolve().parent
    free = shutil.disk_usage(folder).free
    return None if free >= DISK_BYTES else f"{folder} has {free >> 20:,} MiB left: make room before appends are refused"
