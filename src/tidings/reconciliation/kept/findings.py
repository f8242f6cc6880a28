"""What is kept of findings: each by its id, those that are open by their place, those that are not counted yet by when
they are, and those whose event may still come by what it would say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tidings.reconciliation.kept.coding import Finding, Waiting, content_key, number_bytes
from tidings.reconciliation.kept.notes import Notes, pair
from tidings.reconciliation.rules.judging import NOTED
from tidings.reconciliation.rules.places import Range
from tidings.store.rows import Rank

OPEN = ("open", "parked")
"""States of findings whose repair the mirror has not merged: it is what it will hold."""


class Findings(Notes):
    """The findings of a scope."""

    async def open_findings(self, range: Range) -> dict[bytes, Finding]:
        return await self._findings_of(await self._over("open", range))

    async def open_at(self, places: Iterable[bytes]) -> dict[bytes, Finding]:
        return await self._findings_of(list((await self._noted("open", places)).items()))

    async def _findings_of(self, rows: Sequence[tuple[bytes, bytes]]) -> dict[bytes, Finding]:
        found = await self.findings([id for _, id in rows])
        return {at: found[id] for at, id in rows if id in found}

    async def findings(self, ids: Iterable[bytes]) -> dict[bytes, Finding]:
        found = await self._noted("finding", ids)
        return {id: msgspec.msgpack.decode(body, type=Finding) for id, body in found.items()}

    async def finding(self, id: str) -> Finding | None:
        return (await self.findings([id.encode()])).get(id.encode())

    async def write_findings(self, findings: Iterable[Finding]) -> None:
        """Keep these; the place of one that is open knows it, until that one is not: a later one may be open there.

        Of one that several runs find, each of them knows.
        """
        rows = list(findings)
        await self.write_bodies(rows)
        await self._note("found", {pair(each.run, each.id): b"" for each in rows})
        opened = {each.at: each.id.encode() for each in rows if each.state in OPEN and each.kind not in NOTED}
        others = [each for each in rows if each.at not in opened]
        known = await self._noted("open", [each.at for each in others])
        closed = {each.at: None for each in others if known.get(each.at) == each.id.encode()}
        await self._note("open", {**opened, **closed})

    async def free(self, finding: Finding) -> None:
        """Know of a key no more that its repair waits, unless a later one does."""
        body = (await self._noted("parked", [finding.at])).get(finding.at)
        if body is not None and msgspec.msgpack.decode(body, type=Waiting).id == finding.id:
            await self._note("parked", {finding.at: None})

    async def write_bodies(self, findings: Iterable[Finding]) -> None:
        """Keep these as what they have become; what else is known of them stays."""
        await self._note("finding", {each.id.encode(): msgspec.msgpack.encode(each) for each in findings})

    async def found_by(self, run: str, *, limit: int) -> Sequence[bytes]:
        """Return the ids of what a run has found, up to so many."""
        first = pair(run, "")
        keys = [key for key, _ in await self._between("found", after=first, upto=pair(run, "\x7f"), limit=limit)]
        return [key[len(first) :] for key in keys]

    async def forget_found(self, run: str, ids: Iterable[bytes], findings: Iterable[Finding]) -> None:
        """Forget that a run has found these, and these findings whole."""
        over = {each.id.encode(): each for each in findings}
        await self._note("found", {pair(run, "") + id: None for id in ids})
        awaited = await self._noted("awaited", [key for each in over.values() for key in (_content(each), each.at)])
        await self._note("awaited", {key: None for key, id in awaited.items() if id in over})
        await self._note("young", {_when(each): None for each in over.values()})
        await self._note("finding", dict.fromkeys(over))

    # whether it is one that counts
    async def watch(self, findings: Iterable[Finding], *, by_key: bool) -> None:
        """Have these counted once they are due, and their events waited for. `by_key`: events say of which item they
        are, and no more."""
        rows = [each for each in findings if each.state == "open"]
        await self._note("young", {_when(each): b"" for each in rows})
        awaited = [each for each in rows if each.cause == "unknown"]
        told = {each.at if by_key else _content(each): each.id.encode() for each in awaited}
        await self._note("awaited", told)

    async def take_due(self, now: int, *, limit: int) -> Sequence[Finding]:
        """Return those that are to be counted, up to so many, the oldest first; they are due no more."""
        keys = [key for key, _ in await self._between("young", upto=_past(now), limit=limit)]
        found = await self.due(now, limit=limit)
        await self._note("young", dict.fromkeys(keys))
        return found

    async def due(self, now: int, *, limit: int) -> Sequence[Finding]:
        """Return those that `take_due` would take."""
        keys = [key[8:] for key, _ in await self._between("young", upto=_past(now), limit=limit)]
        found = await self.findings(keys)
        return [found[key] for key in keys if key in found]

    async def awaited(self, contents: Iterable[bytes]) -> Mapping[bytes, Finding]:
        """Return the findings that wait for events which say this: see `content_key`; or which are of these places."""
        ids = await self._noted("awaited", contents)
        found = await self.findings(ids.values())
        return {content: found[id] for content, id in ids.items() if id in found}

    async def came(self, findings: Iterable[Finding]) -> None:
        """Wait no more for the events of these."""
        rows = list(findings)
        await self.write_bodies(rows)
        await self._note("awaited", dict.fromkeys(key for each in rows for key in (_content(each), each.at)))


def waiting_of(findings: Iterable[Finding]) -> dict[bytes, bytes]:
    """Return what is kept of keys whose repairs wait, by place."""
    return {each.at: msgspec.msgpack.encode(Waiting(id=each.id, key=each.key, since=each.since)) for each in findings}


def _content(finding: Finding) -> bytes:
    return content_key(finding.at, Rank(*finding.rank))


def _when(finding: Finding) -> bytes:
    return number_bytes(finding.due) + finding.id.encode()


def _past(now: int) -> bytes:
    """Return what stands behind all that is due by now."""
    return number_bytes(now + 1)
