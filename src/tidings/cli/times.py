"""Times that are written on the command line."""

from __future__ import annotations

from typing import overload

from tidings.errors import CallerError, EnvelopeError
from tidings.events.timestamp import time_us


@overload
def time_of(option: str, text: str) -> int: ...
@overload
def time_of(option: str, text: str | None) -> int | None: ...


def time_of(option: str, text: str | None) -> int | None:
    """Return what was given for `option`, in µs since 1970; None if nothing was. CallerError for what is no time."""
    try:
        return None if text is None else time_us(text)
    except EnvelopeError as error:
        raise CallerError(f"{option}: {str(error).removeprefix('time: ')}") from None
