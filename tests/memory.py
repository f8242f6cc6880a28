"""Where the tests' temporary files lie: in memory, where there is room for them.

Each of thousands of tests makes and removes a database. On a disk, making and removing one of PostgreSQL's, which is
some 300 files, takes ten times as much of a processor as in memory, and SQLite waits there whenever it commits. What a
killed process leaves is the same on both: a file in memory ends with the machine, not with who wrote it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that must be free: the databases of a few tests at a time, and what those that failed leave."""


def move_in() -> None:
    """Have temporary files of this process, and of those it begins, lie in memory, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and has_room(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # else it stays what was found before


def has_room(folder: Path) -> bool:
    """Say whether this is a folder to write in, with room, from which copied programs may be started."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return False
    return shutil.disk_usage(folder).free >= ROOM and not os.statvfs(folder).f_flag & os.ST_NOEXEC
