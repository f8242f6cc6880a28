"""Commands that are done under a key. Pure."""

from __future__ import annotations

from tidings.errors import RefusedError


def is_done(service: str, key: str) -> RefusedError:
    return RefusedError(f"the command {key!r:.200} of {service} is done already: ask `Unit.command` for it first")
