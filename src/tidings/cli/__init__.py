"""The command line: parse, call an operation, show what it returns."""

from __future__ import annotations

import io
import os
import sys
import warnings
from contextlib import suppress

from tidings.cli import warned
from tidings.cli.exits import UNKNOWN, UNREAD

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process, and end it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a text that its encoding does not have is written all the same
            stream.reconfigure(errors="backslashreplace")
    if not sys.flags.dev_mode:
        warnings.showwarning = warned.show
    try:
        from tidings.cli.program import run_with  # what is stopped while it is imported ends in one line as well
    except KeyboardInterrupt:
        with suppress(OSError, AttributeError):
            sys.stderr.write("tidings: stopped before it was done\n")
        sys.exit(UNKNOWN)
    code = run_with(sys.argv[1:])
    if code == UNREAD:  # else what is left in the buffer fails at the end of the process, which says so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
