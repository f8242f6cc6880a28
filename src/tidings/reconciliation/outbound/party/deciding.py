"""What follows from what a party holds of an item: a finding, what closes it, and what is expected from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import Any

import msgspec
from msgspec.structs import replace

from tidings.events.codec import encode_json
from tidings.reconciliation.copy.copying import UnreadableError
from tidings.reconciliation.copy.differing import text_of
from tidings.reconciliation.copy.repairing import Repair, Repairs
from tidings.reconciliation.kept.coding import Field, Finding, Mirrored
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.listing import WHY_MAX, Row
from tidings.reconciliation.outbound.party.expected import NOTHING, Expected, made_key
from tidings.reconciliation.outbound.party.holds import PartyScope
from tidings.reconciliation.outbound.party.policy import Shown, decided
from tidings.reconciliation.outbound.party.pushing import is_past_life
from tidings.reconciliation.outbound.party.states import States
from tidings.reconciliation.outbound.sending import Findings
from tidings.reconciliation.rules.judging import DELETE, PUT, Kind
from tidings.store.deliveries import Delivery
from tidings.store.rows import Rank
from tidings.store.unit import Unit

_json: Callable[[bytes], dict[str, Any]] = msgspec.json.decode
_GONE = Rank(0, 1, DELETE, NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read of an item. `row`: None if there is none; `hash`: of our fields in it. `is_asked`: by a read of it
    alone, a moment ago. `secret`: of the scope."""

    key: str
    at: bytes
    row: Row | None
    hash: int
    as_of: int
    now: int
    secret: bytes
    is_asked: bool = False

    @property
    def etag(self) -> str | None:
        return None if self.row is None else self.row.etag


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What follows. `expected`: None if that stays as it is; `asks`: why somebody has to decide; `is_read_first`: the
    item has to be read before more follows."""

    finding: Finding | None = None
    repair: Repair | None = None
    expected: Expected | None = None
    asks: str = ""
    is_read_first: bool = False


@dataclass(frozen=True, slots=True)
class Pushed:
    """Has an item pushed, and what both sides have agreed on told."""

    delivery: Delivery | None = None
    told: tuple[Repair, ...] = field(default=())

    async def make(self, unit: Unit) -> None:
        if self.delivery is not None:
            await unit.intend([self.delivery])
        for each in self.told:
            await each.make(unit)


class Deciding:
    """Decides for one scope. `states`: given the scope's secret; `repairs`: makes its events."""

    def __init__(
        self, scope: PartyScope, *, states: Callable[[bytes], States], findings: Findings, repairs: Repairs
    ) -> None:
        self._scope = scope
        self._states = states
        self._findings = findings
        self._repairs = repairs

    def lost(self, held: Expected, read: Read, run: Run) -> Decided:
        """The party has an earlier state of ours, or never had any: it is pushed again, with the key that it had, so
        that the first one is harmless if it comes after all. Only one that was so before, though both pushes were
        acknowledged, has another key: the party answers that one from memory."""
        if not read.is_asked and is_past_life(held, self._scope, read.now):
            return Decided(is_read_first=True)
        if held.was_repeated and held.is_settled:
            pushed = held.anew(self._key(held, read), now=read.now)
        else:
            first = read.now if read.is_asked else held.first
            repeated = held.was_repeated or held.is_settled
            pushed = replace(
                held,
                state="wanted",
                decided=read.now,
                pushes=held.pushes + 1,
                was_repeated=repeated,
                first=first,
            )
        pushed = replace(pushed, etag=read.etag)
        found = self._found(Kind.DELIVERY_LOST, held, read, run, state="open")
        return Decided(finding=found, repair=self._pushed(pushed), expected=pushed)

    def foreign(self, held: Expected, read: Read, run: Run) -> Decided:
        """Somebody else has changed it: as the policies of the fields say."""
        assert read.row is not None
        states = self._states(read.secret)
        theirs = _json(states.of(read.row.state))
        if held.is_removed:
            return self._asked(held, read, run, "foreign")
        ours, base = _json(states.of(_json(held.payload))), None if held.base is None else _json(held.base)
        try:
            wanted = decided(self._scope.holds.fields, base=base, ours=ours, theirs=theirs)
        except Exception as error:  # a function of the user's
            raise UnreadableError(f"{read.key!r:.80}: {type(error).__name__}: {error}"[:WHY_MAX]) from error
        if wanted is None:
            return self._asked(held, read, run, "foreign", fields=_fields(ours, theirs))
        fields = states.of(wanted)
        made = held.anew(
            self._key(held, read),
            now=read.now,
            payload=encode_json({**_json(held.payload), **wanted}),
            hash=states.hash(fields),
        )
        is_theirs = made.hash == read.hash
        made = made.acknowledged(fields, now=read.now) if is_theirs else replace(made, etag=read.etag, over=read.hash)
        found = self._found(Kind.FOREIGN, held, read, run, state="merged" if is_theirs else "open")
        found = replace(found, fields=_fields(ours, theirs))
        told: tuple[Repair, ...] = ()
        if wanted != ours:
            row = replaced(read.row, state={**read.row.state, **wanted})
            told = (self._repairs.event(found, row, now=read.now, time=read.now),)
        return Decided(finding=found, repair=self._pushed(None if is_theirs else made, told), expected=made)

    def absent(self, held: Expected, read: Read, run: Run) -> Decided:
        """The party had it, and has it no more, as it says of this very item."""
        policy = self._scope.holds.absent
        if policy == "ask":
            return self._asked(held, read, run, "absent")
        if policy == "recreate":
            made = replace(held.anew(self._key(held, read), now=read.now), base=None)  # it has nothing of us any more
            found = self._found(Kind.FOREIGN, held, read, run, state="open")
            return Decided(finding=found, repair=self._pushed(made), expected=made)
        found = self._found(Kind.FOREIGN, held, read, run, state="merged")
        gone = replace(held.anew(self._key(held, read), now=read.now, hash=NOTHING), is_removed=True)
        told = (self._repairs.event(found, None, now=read.now, time=read.now),)
        return Decided(finding=found, repair=self._pushed(None, told), expected=gone.acknowledged(None, now=read.now))

    def unexpected(self, held: Expected | None, read: Read, run: Run) -> Decided:
        """It is there, and nothing here has it so. `is_asked`: if it has our mark, it is to be removed. Else it is
        theirs, and nothing follows."""
        found = replace(self._found(Kind.UNEXPECTED, held, read, run, state="asked"), cause="foreign")
        removed_by = self._scope.holds.removed_by
        if not self.is_marked(read.row):
            return Decided(finding=replace(found, state="waived"))
        if not read.is_asked or removed_by is None:
            return Decided(finding=found)
        name, version = getattr(removed_by, "__name__", ""), 1 if held is None else held.version + 1
        made = Expected(
            key=read.key,
            version=version,
            idempotency_key=made_key(read.secret, name, read.key, version, read.hash),
            function=name,
            payload=encode_json({self._scope.holds.key: read.key}),
            hash=NOTHING,
            decided=read.now,
            order=f"{self._scope.name}/{read.key}",
            is_removed=True,
            older=(read.hash,),
            etag=read.etag,
        )
        return Decided(finding=replace(found, state="open"), repair=self._pushed(made), expected=made)

    def fields_of(self, row: Row, secret: bytes) -> bytes:
        """Return the fields of an item that are ours, as JSON."""
        return self._states(secret).of(row.state)

    def is_marked(self, row: Row | None) -> bool:
        """Say whether an item that nothing here knows of is ours, and to be removed."""
        removes = self._scope.holds.removes
        return removes is not None and row is not None and removes(row)

    def _asked(self, held: Expected, read: Read, run: Run, why: str, *, fields: tuple[Field, ...] = ()) -> Decided:
        found = self._found(Kind.FOREIGN, held, read, run, state="asked")
        return Decided(finding=replace(found, fields=fields), expected=replace(held, state="foreign"), asks=why)

    def _found(self, kind: Kind, held: Expected | None, read: Read, run: Run, *, state: str) -> Finding:
        base = _GONE if held is None else Rank(held.changed, 1, PUT, held.hash)
        rank = (read.as_of, 1, DELETE if read.row is None else PUT, read.hash)
        there = Mirrored(read.key, read.at, base)
        return self._findings.made(kind, there, run, rank, now=read.now, state="proposed" if run.is_dry else state)

    def _key(self, held: Expected, read: Read) -> str:
        return made_key(read.secret, held.function, held.key, held.version + 1, read.hash)

    def _pushed(self, made: Expected | None, told: tuple[Repair, ...] = ()) -> Pushed:
        return Pushed(None if made is None else made.delivery(self._scope.service), told)


def _fields(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(Field(name, text_of(ours[name]), text_of(theirs[name])) for name in ours if ours[name] != theirs[name])


def follows(deciding: Deciding, shown: Shown, held: Expected | None, read: Read, run: Run) -> Decided:
    """Return what follows from what is shown, of what is not as it should be."""
    if shown is Shown.EXTRA:
        return deciding.unexpected(held, read, run)
    assert held is not None
    return {Shown.LOST: deciding.lost, Shown.FOREIGN: deciding.foreign, Shown.ABSENT: deciding.absent}[shown](
        held, read, run
    )
