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


def with_legacy_secret(members: dict[str, Any], secret: str | None) -> dict[str, Any]:
    """Return the members with the secret of `legacy`; `-` stands for a line of standard input. CallerError."""
    from tidings.errors import CallerError

    if secret is None:
        return members
    legacy = members.get("legacy")
    if not isinstance(legacy, dict):
        raise CallerError('--legacy-secret: say whose scheme it is for, too: --set \'legacy={"preset": "github"}\'')
    found = secrets_of([secret], option="--legacy-secret", wanted="a secret")
    if len(found) != 1:
        raise CallerError(f"--legacy-secret -: standard input has {len(found)} lines; write one secret there")
    return {**members, "legacy": {**legacy, "secret": found[0]}}


def secrets_of(
    given: Sequence[str], *, option: str = "--secret", wanted: str = "a secret, the newest first,"
) -> list[str]:
    """Return the secrets that are given: `-` stands for each line of standard input. CallerError if that has none.

    `wanted`: what is to be written there, as it is said then.
    """
    from tidings.errors import CallerError

    found: list[str] = []
    for text in given:
        lines = [text] if text != "-" else [line.strip() for line in _lines() if line.strip()]
        if not lines:
            raise CallerError(f"{option} -: standard input has no line; write {wanted} there")
        found += lines
    return found


def _lines() -> list[str]:
    """Return the lines of standard input; of who types there, one, which is not shown."""
    if sys.stdin.isatty():
        from getpass import getpass

        return [getpass("Secret: ")]
    return sys.stdin.read().splitlines()
