"""The command line: parse, call an operation, show what it returns."""

from __future__ import annotations

import io
import sys
from contextlib import suppress

from tidings.cli.exits import UNKNOWN

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process, and end it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a text that its encoding does not have is written all the same
            stream.reconfigure(errors="backslashreplace")
    try:
        from tidings.cli.program import run_with  # what is stopped while it is imported ends in one line as well
    except KeyboardInterrupt:
        with suppress(OSError, AttributeError):
            sys.stderr.write("tidings: stopped before it was done\n")
        sys.exit(UNKNOWN)
    sys.exit(run_with(sys.argv[1:]))
