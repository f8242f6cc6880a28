"""Text that no log and no store keeps, refused where the texts of strangers come in: no statement meets it."""

from __future__ import annotations

from typing import Any

from tidings.errors import InvalidConfigurationError, MalformedError
from tidings.events.codec import pointer
from tidings.events.rules import is_kept

_WHY = "it holds U+0000 or half of a surrogate pair, which nothing here is named by or keeps"


def check_kept(path: str, query: bytes) -> None:
    """MalformedError for a path or a query, as they were sent, with U+0000; half of a surrogate pair is no UTF-8."""
    if "%00" in path:
        raise MalformedError("the path holds %00, which is U+0000: nothing here is named by it; leave it out")
    if b"%00" in query:
        name = next(part for part in query.split(b"&") if b"%00" in part).partition(b"=")[0].decode("latin-1")
        raise MalformedError(f"{name[:80]}: it holds %00, which is U+0000 and which nothing here has; leave it out")


def check_members(value: Any, *steps: str | int) -> None:
    """InvalidConfigurationError, which names the place, for a JSON value with such a text in it."""
    if isinstance(value, str):
        if not is_kept(value):
            at = pointer(*steps)
            raise InvalidConfigurationError(f"{at or 'the body'}: {_WHY}", errors=[(at, _WHY)])
    elif isinstance(value, dict):
        for name, each in value.items():
            check_members(name, *steps)
            check_members(each, *steps, name)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            check_members(each, *steps, index)
