"""One event told in two versions: a repeat, where both say the same in the newer one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tidings.errors import Conflict, ConflictError, InvalidDataError, TransformError
from tidings.events.codec import Decoder, encode_json
from tidings.events.content import content_hash
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Receipt
from tidings.versions.lineage import Lineage
from tidings.versions.step import Unreadable, serve

Append = Callable[[Sequence[Envelope]], Awaitable[Receipt]]
Find = Callable[[str, str], Awaitable[Entry | None]]

_members = msgspec.json.Decoder().decode
_sorted = msgspec.json.Encoder(order="deterministic").encode


class Retelling:
    """Appends what is told from outside, whose teller may have come to know a newer version since. `find`: by id."""

    def __init__(self, find: Find, lineages: Mapping[str, Lineage]) -> None:
        self._find = find
        self._lineages = lineages

    async def append(self, append: Append, envelopes: Sequence[Envelope]) -> Receipt:
        """Append; one that is kept in another version, and says the same, has its old position. Errors of `append`."""
        while True:
            try:
                return await append(envelopes)
            except ConflictError as error:
                again = await self._as_kept(envelopes, error.conflict)
                if again is None:
                    raise
            envelopes = again  # each turn, one more of them is in the version that is kept

    async def _as_kept(self, envelopes: Sequence[Envelope], conflict: Conflict) -> Sequence[Envelope] | None:
        if conflict.source is None or conflict.id is None or not conflict.position:
            return None
        found, identity = await self._find(conflict.source, conflict.id), (conflict.source, conflict.id)
        if found is None:
            return None
        told = [each for each in envelopes if (each.source, each.id) == identity]
        if not all(is_same(found.envelope, each, self._lineages) for each in told):
            return None
        return [found.envelope if (each.source, each.id) == identity else each for each in envelopes]


def is_same(kept: Envelope, told: Envelope, lineages: Mapping[str, Lineage]) -> bool:
    """Say whether an event in two versions is one and the same: its content is equal in the higher of the two."""
    if kept.type != told.type or kept.version == told.version or told.type not in lineages:
        return False
    lineage, version = lineages[told.type], max(kept.version, told.version)
    try:
        both = [serve(Entry(0, 0, each), version, lineages) for each in (kept, told)]
        hashes = {content_hash(_whole(each, lineage)) for each in both if not isinstance(each, Unreadable)}
    except (TransformError, InvalidDataError):
        return False
    return len(hashes) == 1 and not any(isinstance(each, Unreadable) for each in both)


def _whole(envelope: Envelope, lineage: Lineage) -> Envelope:
    """Return an envelope with the members that its class fills in where they are not told, and all of them sorted."""
    native = lineage.natives.get(envelope.version)
    if native is None or envelope.data is None:
        return envelope
    filled = encode_json(Decoder(native.cls).decode(envelope.data))
    return replace(envelope, data=_sorted(_members(filled) | _members(envelope.data)))
