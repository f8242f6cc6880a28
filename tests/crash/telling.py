"""Saying something to the world outside, which knows it from then on, whatever happens to the process."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def note(path: Path, line: str) -> None:
    """Add a line to a file that no transaction knows of."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def noted(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.exists() else []
