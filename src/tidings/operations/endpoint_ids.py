"""What an endpoint may be called."""

from __future__ import annotations

import re

from tidings.errors import InvalidConfigurationError

RULE = "an id is 1 to 64 letters, digits, '-', '_', '.' or '~', and begins with a letter or a digit"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")


def checked(id: str) -> str:
    """Return the id. InvalidConfigurationError if it is none."""
    if not _ID.fullmatch(id):
        raise InvalidConfigurationError(f"id: {RULE}", errors=[("/id", RULE)])
    return id
