"""Positions as they are typed on the command line: the token that `--json` and HTTP show, or the number of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidings.cli.session import LAST, tokens_of
from tidings.errors import CallerError

if TYPE_CHECKING:
    from tidings.app import Opened


async def position_of(opened: Opened, option: str, text: str) -> int:
    """Return the position that was given for `option`. CallerError for a number that no entry can have, and for what is
    no token of this log."""
    if not (text.removeprefix("-").isdigit() and text.isascii()):
        if "-" not in text:
            raise CallerError(f"{option}: {text[:40]!r} is neither a position's number nor its token")
        return (await tokens_of(opened)).read(text, name=option)
    if text.startswith("-") or text.strip("0") == "":
        raise CallerError(f"{option}: it must be 1 or more, not {text[:40]}")
    if int(text[:40]) > LAST:
        raise CallerError(f"{option}: it must be {LAST:,} or less, not {text[:40]}")
    return int(text)
