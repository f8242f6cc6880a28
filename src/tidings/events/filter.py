"""Which events a reader wants."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from tidings.errors import MalformedError
from tidings.events.envelope import Envelope


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """All named conditions must hold; an unnamed one holds for everything.

    `types`: event types, any of them. `slots`: half-open ranges (first, end) of subject slots, 0 to 1024, any of them.
    """

    types: frozenset[str] | None = None
    source: str | None = None
    subject: str | None = None
    slots: tuple[tuple[int, int], ...] | None = None

    def matches(self, envelope: Envelope, slot: int) -> bool:
        """Say whether an envelope whose subject hashes to `slot` is wanted."""
        return (
            (self.types is None or envelope.type in self.types)
            and (self.source is None or envelope.source == self.source)
            and (self.subject is None or envelope.subject == self.subject)
            and (self.slots is None or any(first <= slot < end for first, end in self.slots))
        )


EVERYTHING = Filter()


def typed(*, types: Collection[str] | None, source: str | None, subject: str | None) -> Filter:
    """Return the filter that somebody typed. MalformedError for U+0000: no event has it, and PostgreSQL reads none."""
    for name, values in (("type", types or ()), ("source", (source or "",)), ("subject", (subject or "",))):
        if any("\0" in value for value in values):
            raise MalformedError(f"{name}: it holds U+0000, which no event has")
    return Filter(types=None if types is None else frozenset(types), source=source, subject=subject)
