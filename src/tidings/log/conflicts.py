"""What a refused write is told: what stands in the way, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.errors import Conflict, ConflictError
from tidings.log.driver import NOTHING_EXPECTED, Position


def refused(conflict: Conflict, expected: Mapping[str, Position] = NOTHING_EXPECTED) -> ConflictError:
    """Return the error that a write ends in which was refused because of this conflict."""
    if conflict.kind == "id":
        return ConflictError(_taken_id(conflict), conflict=conflict)
    if conflict.kind == "subject":
        return ConflictError(_moved_subject(conflict, expected), conflict=conflict)
    return ConflictError(
        f"the entry at position {conflict.position} matches the condition: read up to it and decide again",
        conflict=conflict,
    )


def _taken_id(conflict: Conflict) -> str:
    what = f"the id {_short(conflict.id)} of {_short(conflict.source)}"
    if conflict.position == 0:
        return f"{what} stands twice in this call, with different content: give each event an id of its own"
    if conflict.kept_hash is None:
        return f"{what} was taken by an event that is no longer kept, so nobody can tell whether this is the same"
    hashes = ""
    if conflict.given_hash is not None:
        hashes = f" (hash {conflict.kept_hash[:16]}, this one {conflict.given_hash[:16]})"
    return (
        f"{what} is kept at position {conflict.position} with other content{hashes}: "
        "send a repeat unchanged, or give a new event an id of its own"
    )


def _moved_subject(conflict: Conflict, expected: Mapping[str, Position]) -> str:
    subject = f"the subject {_short(conflict.subject)}"
    after = expected.get(conflict.subject or "", 0)
    if conflict.position == 0:
        return f"{subject} has no entry at position {after}: expect the position of an entry you read, 0 for none"
    seen = f"after the expected {after}" if after else "where none was expected"
    return f"{subject} has an entry at position {conflict.position}, {seen}: read up to it and decide again"


def _short(text: str | None) -> str:
    text = text or ""
    return repr(text if len(text) <= 100 else f"{text[:100]}…")
