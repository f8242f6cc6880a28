"""Python's warnings on the command line: a line each, as whatever else is said on standard error."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import TextIO

_OPEN_TO_OTHERS = re.compile(r"password file (?:\w+\()?'(.+)'\)? has group or world access")
"""What asyncpg says of a file that it passes over therefore."""


def show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Do what `warnings.showwarning` does, in one line."""
    text = " ".join(str(message).split())
    found = _OPEN_TO_OTHERS.match(text)
    if found is None:
        said = f"{category.__name__}: {text} ({filename}:{lineno})"
    else:
        said = f"{found[1]} is not read, since others than its owner may read it: chmod 600 {found[1]}"
    with suppress(OSError, AttributeError):  # nobody reads it, or it is closed
        (file or sys.stderr).write(f"tidings: {said}\n")
