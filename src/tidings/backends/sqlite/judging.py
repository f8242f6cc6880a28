"""What becomes of each write of a flush: appended, known, or refused. Identity is judged first, expectations after."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from tidings.backends.sqlite import reading
from tidings.backends.sqlite.expectations import violated
from tidings.backends.sqlite.seen_key import Sought
from tidings.backends.sqlite.seen_record import Known
from tidings.errors import Conflict
from tidings.events.content import content_hash
from tidings.events.envelope import Envelope
from tidings.log.driver import NOTHING_EXPECTED, Position, Receipt, Write


@dataclass(frozen=True, slots=True)
class Judgement:
    """A receipt for each write; the places of the envelopes that are new: those to be kept, those of refused writes."""

    receipts: list[Receipt]
    kept: Sequence[int]
    refused: Sequence[int]


def judge(
    connection: sqlite3.Connection,
    writes: Sequence[Write],
    sought: Sought,
    *,
    known: Known,
    positions: Sequence[Position],
) -> Judgement:
    """Judge each write on its own. `known`: keys that were kept before; `positions`: what the new ones would get."""
    receipts: list[Receipt] = []
    kept: list[int] = []
    refused: list[int] = []
    start = 0
    for write in writes:
        places = range(start, start + len(write.envelopes))
        start = places.stop
        if not known and write.expected is NOTHING_EXPECTED and write.condition is None:
            drawn = positions[places.start : places.stop]
            receipts.append(Receipt(outcome="appended" if drawn else "duplicate", positions=tuple(drawn)))
            kept += places
            continue
        receipt = _judge(connection, write, sought, known=known, drawn=positions, places=places)
        receipts.append(receipt)
        if receipt.outcome != "duplicate":
            new = [n for n in places if sought.keys[n] not in known]
            (kept if receipt.outcome == "appended" else refused).extend(new)
    return Judgement(receipts, kept, refused)


def _judge(
    connection: sqlite3.Connection,
    write: Write,
    sought: Sought,
    *,
    known: Known,
    drawn: Sequence[Position],
    places: range,
) -> Receipt:
    positions: list[Position] = []
    old: list[int] = []
    for n, envelope in zip(places, write.envelopes, strict=True):
        found = known.get(sought.keys[n])
        if found is not None and found[1] != sought.marks[n]:
            taken = _taken(connection, envelope, found[0])
            if taken is not None:
                return Receipt(outcome="conflict", conflict=taken)
        if found is not None:
            old.append(n - places.start)
        positions.append(drawn[n] if found is None else found[0])
    if len(old) == len(places):
        return Receipt(outcome="duplicate", positions=tuple(positions))
    conflict = violated(connection, write)
    if conflict is not None:
        return Receipt(outcome="conflict", conflict=conflict)
    return Receipt(outcome="appended", positions=tuple(positions), known=frozenset(old))


def _taken(connection: sqlite3.Connection, envelope: Envelope, position: Position) -> Conflict | None:
    """Return the conflict with what is kept; None if that has the same content, written in another way.

    Another order of white space, say, or the trace of a retry. What is no longer kept cannot be compared: a conflict.
    """
    kept = [content_hash(entry.envelope).hex() for entry in reading.at(connection, [position])]
    given = content_hash(envelope).hex()
    if kept == [given]:
        return None
    return Conflict(
        kind="id",
        position=position,
        source=envelope.source,
        id=envelope.id,
        kept_hash=kept[0] if kept else None,
        given_hash=given,
    )
