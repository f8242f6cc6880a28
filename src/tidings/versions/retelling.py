"""One event told in two versions: a repeat, where both say the same in the newer one.

An event that was brought down before it was kept counts as what was handed in: the version of that, and a hash, are
noted in its attributes, since a way down may lose members.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from tidings.errors import Conflict, ConflictError, InvalidDataError, TransformError
from tidings.events.content import content_hash
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Receipt
from tidings.versions.lineage import Lineage
from tidings.versions.step import Unreadable, serve

HANDED_IN = "handedin"
"""The attribute of an event that was brought down: the version it was handed in as, and the hash of that."""

Append = Callable[[Sequence[Envelope]], Awaitable[Receipt]]
Find = Callable[[str, str], Awaitable[Entry | None]]
Lineages = Mapping[str, Lineage]

_HASH_DIGITS = 32
_NOTED = re.compile(rf"([1-9][0-9]{{0,8}}):([0-9a-f]{{{_HASH_DIGITS}}})")


class Retelling:
    """Knows again what is told in another version than it is kept in. `find`: by source and id, in the log."""

    def __init__(self, find: Find, lineages: Lineages) -> None:
        self._find = find
        self._lineages = lineages

    async def append(self, append: Append, envelopes: Sequence[Envelope]) -> Receipt:
        """Append; one that is kept in another version, and says the same, has its old position. Errors of `append`."""
        while True:
            try:
                return await append(envelopes)
            except ConflictError as error:
                again = await self._again(envelopes, error.conflict)
                if again is None:
                    raise
            envelopes = again  # each turn, one more of them is in the version that is kept

    async def as_kept(self, envelopes: Iterable[Envelope]) -> tuple[Envelope, ...]:
        """Return the envelopes, each of them that is told again as it is kept."""
        return tuple([await self._as_kept(each) for each in envelopes])

    async def differing(self, envelopes: Iterable[Envelope]) -> Sequence[Envelope]:
        """Return those that the log has with other content."""
        found = []
        for each in await self.as_kept(envelopes):
            kept = await self._find(each.source, each.id)
            if kept is not None and content_hash(kept.envelope) != content_hash(each):
                found.append(each)
        return found

    async def _again(self, envelopes: Sequence[Envelope], conflict: Conflict) -> Sequence[Envelope] | None:
        if not conflict.position:
            return None
        of = conflict.source, conflict.id
        again = [await self._as_kept(each) if (each.source, each.id) == of else each for each in envelopes]
        return None if again == [*envelopes] else again

    async def _as_kept(self, told: Envelope) -> Envelope:
        found = await self._find(told.source, told.id)
        return told if found is None or not is_same(found.envelope, told, self._lineages) else found.envelope


def is_same(kept: Envelope, told: Envelope, lineages: Lineages) -> bool:
    """Say whether two envelopes, equal in neither version nor content, are one event: the higher of the versions that
    they were handed in as has one content."""
    if kept.type != told.type or kept.type not in lineages:
        return False
    noted = [_noted(each) for each in (kept, told)]
    if noted == [None, None] and kept.version == told.version:
        return False
    version = max(each.version if note is None else note[0] for each, note in zip((kept, told), noted, strict=True))
    try:
        hashes = [_hash_in(version, each, lineages) for each in (kept, told)]
    except (TransformError, InvalidDataError):
        return False
    return hashes[0] is not None and hashes[0] == hashes[1]


def handed_in(envelope: Envelope, lineages: Lineages) -> str:
    """Return what is noted in `HANDED_IN` of an event that is to be brought down."""
    return f"{envelope.version}:{_hash_in(envelope.version, envelope, lineages)}"


def _noted(envelope: Envelope) -> tuple[int, str] | None:
    found = _NOTED.fullmatch(str(envelope.attributes.get(HANDED_IN, "")))
    return None if found is None else (int(found[1]), found[2])


def _hash_in(version: int, envelope: Envelope, lineages: Lineages) -> str | None:
    """Return the hash of an event's content in a version; None if no steps lead there. InvalidDataError;
    TransformError."""
    noted = _noted(envelope)
    if noted is not None and noted[0] == version:
        return noted[1]
    others = {name: value for name, value in envelope.attributes.items() if name != HANDED_IN}
    told = serve(Entry(0, 0, replace(envelope, attributes=others)), version, lineages)
    if isinstance(told, Unreadable):
        return None
    data = None if told.data is None else lineages[told.type].whole(version, told.data)
    return content_hash(replace(told, data=data)).hex()[:_HASH_DIGITS]
