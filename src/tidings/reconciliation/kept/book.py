"""What is kept of one scope, by what it says. All of it is changed by who holds the scope alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import msgspec
from msgspec import structs

from tidings.reconciliation.kept.coding import (
    Finding,
    Mirrored,
    Reading,
    Suspect,
    key_place,
    known_bytes,
    known_of,
    number_bytes,
    number_of,
    place_key,
    proof_bytes,
    proof_of,
)
from tidings.reconciliation.kept.excepting import STOOD, Exceptions, packed
from tidings.reconciliation.kept.notes import THERE, end_of, pair
from tidings.reconciliation.kept.records import Record, Run
from tidings.reconciliation.rules.floors import NOTHING, Floors, Known
from tidings.reconciliation.rules.judging import PUT
from tidings.reconciliation.rules.places import START, WHOLE, Place, Range
from tidings.reconciliation.rules.proofs import Proof
from tidings.store.endpoint_deliveries import EndpointDelivery
from tidings.store.note_store import Alike, Note, Span
from tidings.store.rows import Rank

RECORD, DIRTY = Span("scope", limit=1), Span("dirty", limit=1)
BESIDE = ("open", "suspect", "key_floor", "floor")
"""The kinds of notes that are kept by place, beside what the mirror holds."""


class Mirrors(dict[bytes, bytes]):
    """What the mirror holds, by place, as it is kept: of a million rows that are equal none has to be made out."""

    def of(self, at: bytes) -> Mirrored | None:
        """Return what it holds at a place."""
        body = self.get(at)
        return None if body is None else Mirrored.of(at, body)

    def shows(self, at: bytes, hash: int) -> bool:
        """Say whether it holds this state at a place, and it is live."""
        return at in self and Mirrored.shows(self[at], hash)

    def all(self) -> Iterator[Mirrored]:
        """Yield what it holds, in the order of the places."""
        return (Mirrored.of(at, body) for at, body in self.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of a range, or of some places. `is_alike`: the mirror holds what it was compared with, and is not
    told; nothing is open there."""

    mirror: Mirrors
    open: Mapping[bytes, Finding]
    suspects: Mapping[bytes, Suspect]
    key_floors: Mapping[bytes, int]
    floors: Floors
    is_alike: bool = False


class Book(Exceptions):
    """The notes of a scope, in a unit that holds it."""

    # the scope as a whole
    async def record(self) -> Record:
        found = await self._of(RECORD)
        return msgspec.json.decode(found[0][1], type=Record) if found else Record()

    async def opened(self, random: Random) -> Record:
        """Return the record, with a secret of its own from the first time on."""
        record = await self.record()
        if not record.secret:
            record = structs.replace(record, secret=random.getrandbits(128).to_bytes(16))
            await self.write(record)
        return record

    async def write(self, record: Record) -> None:
        await self._note("scope", {THERE: msgspec.json.encode(record)})

    async def run(self, id: str) -> Run | None:
        last = await self._of(_upto("run", id.encode()))
        return msgspec.json.decode(last[0][1], type=Run) if last and last[0][0] == id.encode() else None

    async def write_run(self, run: Run) -> None:
        await self._note("run", {run.id.encode(): msgspec.json.encode(run)})

    async def runs_upto(self, id: str, *, limit: int) -> list[Run]:
        """Return runs up to this one, the first ones first."""
        return [
            msgspec.json.decode(body, type=Run) for _, body in await self._between("run", upto=id.encode(), limit=limit)
        ]

    async def forget_run(self, id: str) -> None:
        await self._note("run", {id.encode(): None})

    # floors
    async def floors(self, range: Range) -> Floors:
        """Return the floors of a range, and nothing beside it."""
        return await self._floors(range, await self._between("floor", after=place_key(range.after), upto=end_of(range)))

    async def _floors(self, range: Range, inside: Sequence[Note]) -> Floors:
        below = await self._of(_upto("floor", place_key(range.after)))
        if not below:
            below = [(place_key(START), known_bytes(NOTHING))]
        rows = [*below, *inside]
        return Floors(tuple(key_place(key) for key, _ in rows), tuple(known_of(body) for _, body in rows))

    async def floor_at(self, place: Place) -> Known:
        """Return what is known at a place."""
        below = await self._between("floor", upto=place_key(place), limit=2, falling=True)
        for key, body in below:
            if key_place(key) < place:
                return known_of(body)
        return NOTHING

    async def write_floors(self, before: Floors, after: Floors) -> None:
        """Keep the floors of a range in place of what `floors` returned of it."""
        had = dict(zip(before.starts, before.known, strict=True))
        has = dict(zip(after.starts, after.known, strict=True))
        changed: dict[bytes, bytes | None] = {place_key(at): None for at in had if at not in has}
        changed |= {place_key(at): known_bytes(known) for at, known in has.items() if had.get(at) != known}
        await self._note("floor", changed)

    async def forget_proofs(self) -> None:
        """Know nothing any more of how far anything is known."""
        for kind in ("floor", "key_floor", "proof", "wait", STOOD):
            await self._note(kind, dict.fromkeys(key for key, _ in await self._between(kind)))

    async def key_floors_at(self, places: Iterable[bytes]) -> Mapping[bytes, int]:
        return {at: number_of(body) for at, body in (await self._noted("key_floor", places)).items()}

    async def key_floor(self, at: bytes) -> int | None:
        body = (await self._noted("key_floor", [at])).get(at)
        return None if body is None else number_of(body)

    async def write_key_floors(self, floors: Mapping[bytes, int | None]) -> None:
        """Keep these; None takes one away that its range's floor has passed."""
        await self._note("key_floor", {at: None if n is None else number_bytes(n) for at, n in floors.items()})

    # what was sent
    async def sent(self, places: Iterable[bytes]) -> Mapping[bytes, EndpointDelivery]:
        found = await self._noted("sent", places)
        return {at: msgspec.msgpack.decode(body, type=EndpointDelivery) for at, body in found.items()}

    async def write_sent(self, sent: Mapping[bytes, EndpointDelivery | None]) -> None:
        await self._note(
            "sent", {at: None if each is None else msgspec.msgpack.encode(each) for at, each in sent.items()}
        )

    # what the mirror holds
    async def kept(self, range: Range) -> Kept:
        """Return all that is kept of a range by place, in few queries however many rows it has."""
        open = await self.open_findings(range)
        is_alike = not open and self._is_alike(Span("mirror", place_key(range.after), end_of(range)))
        return Kept(
            mirror=Mirrors() if is_alike else await self.mirror(range),
            open=open,
            suspects=await self.suspects(range),
            key_floors={at: number_of(body) for at, body in await self._over("key_floor", range)},
            floors=await self._floors(range, await self._over("floor", range)),
            is_alike=is_alike,
        )

    async def mirror(self, range: Range) -> Mirrors:
        return Mirrors(await self._over("mirror", range))

    async def mirrored(self, places: Iterable[bytes]) -> Mirrors:
        return Mirrors(await self._noted("mirror", places))

    async def write_mirror(self, rows: Mapping[bytes, Mirrored | None]) -> None:
        await self._note("mirror", {at: None if row is None else row.kept() for at, row in rows.items()})

    async def places(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        """Return where in the order these keys stand, where that is not the key itself."""
        found = await self._noted("place", [key.encode() for key in keys])
        return {key.decode(): at for key, at in found.items()}

    async def write_places(self, places: Mapping[str, bytes | None]) -> None:
        await self._note("place", {key.encode(): at for key, at in places.items()})

    async def tombstones(self, *, after: bytes | None, limit: int) -> Sequence[tuple[bytes, int]]:
        """Return the places of tombstones, in their order, each with when its delete was recorded."""
        return [(at, number_of(body)) for at, body in await self._between("tombstone", after=after, limit=limit)]

    async def write_tombstones(self, tombstones: Mapping[bytes, int | None]) -> None:
        await self._note("tombstone", {at: None if n is None else number_bytes(n) for at, n in tombstones.items()})

    # reads that are under way
    async def readings(self, keys: Iterable[str]) -> Mapping[str, Reading]:
        found = await self._noted("reading", [key.encode() for key in keys])
        return {key.decode(): msgspec.msgpack.decode(body, type=Reading) for key, body in found.items()}

    async def write_readings(self, keys: Mapping[str, Reading | None]) -> None:
        await self._note("reading", {key.encode(): packed(each) for key, each in keys.items()})

    # what a list showed that proves presence only
    async def write_seen(self, run: str, places: Iterable[bytes]) -> None:
        await self._note("seen", {pair(run, "") + at: b"" for at in places})

    async def unseen(self, run: str) -> list[Mirrored]:
        """Return what is live here and was not shown; forget what was."""
        first, end = pair(run, ""), pair(run, "") + b"\xff"
        seen = {key[len(first) :]: None for key, _ in await self._between("seen", after=first, upto=end)}
        await self._note("seen", {first + at: None for at in seen})
        return [each for each in (await self.mirror(WHOLE)).all() if each.at not in seen and each.rank.kind == PUT]

    # proofs, by id, and what each waits for
    async def prove(self, id: str, proof: Proof, floors: Floors) -> Floors:
        """Keep a proof that waits; return the floors of its range, raised as far as it may be told at once."""
        if not proof.is_told:
            await self._note("proof", {id.encode(): proof_bytes(proof)})
            await self._note("wait", {pair(each, id): b"" for each in proof.puts | proof.deletes})
        return proof.show(floors)

    async def answer(self, question: str, then: str | None = None, *, limit: int | None = None) -> int:
        """Take a question as answered, for up to so many proofs; return of how many that was. `then`: what those that
        waited for it wait for now."""
        first, end = pair(question, ""), pair(question, "\x7f")
        waits = await self._between("wait", after=first, upto=end, limit=limit)
        await self._note("wait", {key: None for key, _ in waits})
        for key, _ in waits:
            id = key[len(first) :].decode()
            body = (await self._noted("proof", [id.encode()])).get(id.encode())
            if body is None:
                continue
            proof = proof_of(body)
            if then is not None:
                proof = proof.waiting(then)
                await self._note("wait", {pair(then, id): b""})
            await self._tell(id, proof.without(question))
        return len(waits)

    async def _tell(self, id: str, proof: Proof) -> None:
        before = await self.floors(proof.range)
        await self.write_floors(before, proof.show(before))
        await self._note("proof", {id.encode(): None if proof.is_told else proof_bytes(proof)})

    async def void(self, questions: Iterable[str]) -> int:
        """Forget the proofs that wait for one of these; return how many there were."""
        gone = 0
        for question in questions:
            first, end = pair(question, ""), pair(question, "\x7f")
            waits = await self._between("wait", after=first, upto=end)
            await self._note("wait", {key: None for key, _ in waits})
            await self._note("proof", {key[len(first) :]: None for key, _ in waits})
            gone += len(waits)
        return gone

    # what was decided about events that came late
    async def is_late(self, positions: Iterable[int]) -> frozenset[int]:
        found = await self._noted("late", [number_bytes(each) for each in positions])
        return frozenset(number_of(key) for key in found)

    async def write_late(self, positions: Iterable[int]) -> None:
        await self._note("late", {number_bytes(each): b"" for each in positions})


def spans_of_page(run: str, range: Range, alike: Alike | None) -> list[Span]:
    """Return what a page of a run reads: see `look_ahead`. `alike`: what the mirror is compared with first."""
    first, end = place_key(range.after), end_of(range)
    inside = [Span("mirror", first, end, unless=alike), *(Span(kind, first, end) for kind in BESIDE)]
    return [_upto("run", run.encode()), _upto("floor", first), DIRTY, *([] if range.is_empty else inside)]


def _upto(kind: str, key: bytes) -> Span:
    """Return the last note up to a key, and with it."""
    return Span(kind, upto=key, limit=1, falling=True)


def newer(held: Mirrored | None, finding: Finding | None) -> Rank | None:
    """Return what the mirror will hold of a key once the repair that is under way is merged."""
    ranks = [held.rank] if held is not None else []
    if finding is not None:
        ranks.append(Rank(*finding.rank))
    return max(ranks, default=None)
