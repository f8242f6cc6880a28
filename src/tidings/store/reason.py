"""Why something failed, and when it is tried again. Times are µs since 1970 (UTC)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a subject is parked or a delivery failed.

    `kind` is a kebab-case word (`handler-failed`, `process-died`, `undecodable`, …), `error` the last error's class and
    message, `next_at` when to try again (None: dead, waits for an operator). `attempts`: in how many it failed;
    None: as many as are counted.
    """

    kind: str
    error: str
    next_at: int | None
    attempts: int | None = None


def readable(text: str | None) -> str | None:
    """Return the text without what a database cannot hold: an error may quote anything."""
    return None if text is None else text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
