"""Which events a reader wants."""

from __future__ import annotations

import msgspec

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
