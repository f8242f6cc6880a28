"""Whether a connection that is kept may be used again: what has ended in the meantime is not sent on.

libcurl would look once a second at most, and say the request anew on another connection when nothing came of the first.
Then one attempt would reach its receiver twice.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from socket import socket

Ends = tuple[str, str, int, int]
"""What a connection is called: address there, address here, port there, port here."""


class Kept:
    """Knows the sockets of connections by their ends, as long as they are open; libcurl owns them."""

    def __init__(self) -> None:
        self._looks: dict[Ends, select.poll] = {}
        self._ends: dict[int, Ends] = {}

    def note(self, ends: Ends, opened: Sequence[int]) -> None:
        """Remember which of the sockets that were opened, of which some may be closed again, has these ends."""
        number = opened[0] if len(opened) == 1 else next((each for each in opened if _port(each) == ends[3]), None)
        if number is None:
            return
        former = self._ends.pop(number, None)  # of a connection that is closed, or its number would not be free
        if former is not None:
            self._looks.pop(former, None)
        look = select.poll()
        look.register(number, select.POLLIN)
        self._looks[ends], self._ends[number] = look, ends

    def has_ended(self, ends: Ends) -> bool:
        """Say whether something came on a connection on which nothing was asked: its end, or what announces it."""
        look = self._looks.get(ends)
        return look is not None and bool(look.poll(0))


def _port(number: int) -> int | None:
    """Return this side's port of a socket, None if it is closed."""
    try:
        own = socket(fileno=number)
    except OSError:
        return None
    try:
        return int(own.getsockname()[1])
    except OSError:
        return None
    finally:
        own.detach()
