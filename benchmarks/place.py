"""Where databases are made while something is measured: on a disk, since memory flushes nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


@contextmanager
def place(wanted: str | None) -> Iterator[Path]:
    """Make a folder that is gone afterwards: under `wanted`, else under the first of these that lies on a disk."""
    candidates = [wanted] if wanted else [tempfile.gettempdir(), "/var/tmp", "."]
    parent = next((folder for folder in candidates if file_system(Path(folder)) not in _IN_MEMORY), candidates[0])
    with tempfile.TemporaryDirectory(prefix="tidings-bench-", dir=parent) as folder:
        yield Path(folder)


def file_system(folder: Path) -> str:
    """Return the type of the file system a folder lies on, as the kernel names it; "unknown" if it does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    device = os.stat(folder).st_dev
    numbers = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2] == numbers:
            return after.split()[0]
    return "unknown"
