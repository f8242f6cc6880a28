"""What becomes of each write of a flush: appended, known, or refused. Identity is judged first, expectations after."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidings.backends.sqlite import reading
from tidings.backends.sqlite.entries import encode
from tidings.backends.sqlite.expectations import violated
from tidings.backends.sqlite.seen_record import Known
from tidings.errors import Conflict
from tidings.events.envelope import Envelope
from tidings.log.driver import NOTHING_EXPECTED, Position, Receipt, Write
from tidings.log.repeats import difference

COMPARED_AT_ONCE = 128
"""Kept envelopes that are held to be compared: there may be many repeats of large ones."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A receipt for each write; the places of the envelopes that are new: those to be kept, those of refused writes."""

    receipts: list[Receipt]
    kept: Sequence[int]
    refused: Sequence[int]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a flush's envelopes, by their places: where those stand that are `known`, and the `conflicts`
    of those among them that are kept with other content; `drawn`: what each would get if it is new."""

    known: Mapping[int, Position]
    conflicts: Mapping[int, Conflict]
    drawn: Sequence[Position]


def compare(
    connection: sqlite3.Connection, envelopes: Sequence[Envelope], keys: Sequence[bytes], *, known: Known
) -> tuple[Mapping[int, Position], Mapping[int, Conflict]]:
    """Return where the envelopes stand that are kept already, and the conflicts of those that are not the same."""
    at = {n: known[key] for n, key in enumerate(keys) if key in known}
    conflicts: dict[int, Conflict] = {}
    places = sorted(at, key=at.__getitem__)
    for start in range(0, len(places), COMPARED_AT_ONCE):
        some = places[start : start + COMPARED_AT_ONCE]
        kept = {entry.position: entry.envelope for entry in reading.at(connection, [at[n] for n in some])}
        for n in some:
            conflict = _difference(envelopes[n], kept.get(at[n]), at[n])
            if conflict is not None:
                conflicts[n] = conflict
    return at, conflicts


def judge(connection: sqlite3.Connection, writes: Sequence[Write], found: Found) -> Judgement:
    """Judge each write on its own."""
    receipts: list[Receipt] = []
    kept: list[int] = []
    refused: list[int] = []
    start = 0
    for write in writes:
        places = range(start, start + len(write.envelopes))
        start = places.stop
        if not found.known and write.expected is NOTHING_EXPECTED and write.condition is None:
            drawn = found.drawn[places.start : places.stop]
            receipts.append(Receipt(outcome="appended" if drawn else "duplicate", positions=tuple(drawn)))
            kept += places
            continue
        receipt = _judge(connection, write, found, places)
        receipts.append(receipt)
        if receipt.outcome != "duplicate":
            new = [n for n in places if n not in found.known]
            (kept if receipt.outcome == "appended" else refused).extend(new)
    return Judgement(receipts, kept, refused)


def _judge(connection: sqlite3.Connection, write: Write, found: Found, places: range) -> Receipt:
    conflict = next((found.conflicts[n] for n in places if n in found.conflicts), None)
    if conflict is not None:
        return Receipt(outcome="conflict", conflict=conflict)
    old = frozenset(n - places.start for n in places if n in found.known)
    positions = tuple(found.known.get(n, found.drawn[n]) for n in places)
    if len(old) == len(places):
        return Receipt(outcome="duplicate", positions=positions)
    conflict = violated(connection, write)
    if conflict is not None:
        return Receipt(outcome="conflict", conflict=conflict)
    return Receipt(outcome="appended", positions=positions, known=old)


def _difference(given: Envelope, kept: Envelope | None, position: Position) -> Conflict | None:
    if kept is not None and encode(given) == encode(kept):  # not `==`, to which 1 and true are the same
        return None
    return difference(given, kept, position)
