"""Asks whoever sits at the terminal before something is done that cannot be taken back."""

from __future__ import annotations

import sys

from tidings.errors import CallerError, RefusedError


def confirm(what: str) -> None:
    """Say what will be done, on standard error, and come back if the answer is yes.

    RefusedError if it is no; CallerError if nobody is there to answer.
    """
    sys.stderr.write(f"{what}\nGo on? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise CallerError("nobody is there to answer, so nothing was changed: give --yes")
    if answer.strip().lower() not in ("y", "yes"):
        raise RefusedError("nothing was changed")
