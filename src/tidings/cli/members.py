"""Members of a configuration and secrets, as they are given to a command."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def members_of(given: Sequence[str] | None) -> dict[str, Any]:
    """Return the members that texts such as `slots=8` say. CallerError for what is none."""
    from tidings.errors import CallerError

    found: dict[str, Any] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise CallerError(f"--set: {text[:80]!r} is not MEMBER=JSON, such as slots=8")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value  # a word, such as `key`, needs no quotes
    return found


def secrets_of(given: Sequence[str]) -> list[str]:
    """Return the secrets that are given: `-` stands for each line of standard input. CallerError if that has none."""
    from tidings.errors import CallerError

    found: list[str] = []
    for text in given:
        lines = [text] if text != "-" else [line.strip() for line in _lines() if line.strip()]
        if not lines:
            raise CallerError("--secret -: standard input has no line; write a secret there, the newest first")
        found += lines
    return found


def _lines() -> list[str]:
    """Return the lines of standard input; of who types there, one, which is not shown."""
    if sys.stdin.isatty():
        from getpass import getpass

        return [getpass("Secret: ")]
    return sys.stdin.read().splitlines()
