"""Scripts about how many entries there are of each version, inside of the log and beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tidings.log.driver import Position
from tidings.store.scripts.line import OPEN
from tidings.store.scripts.script import Script, ask
from tidings.store.versions import Counted, Miscount, Place, Stretch, Tally, Waiting

SEGMENT_BITS = 14
"""A segment is 2^14 positions."""

# One statement, so that what was counted and up to where are of one moment, whoever folds meanwhile.
_SEGMENTS = (
    "SELECT c.upto, c.differs, s.type, s.version, s.entries, s.first, s.last, s.segments FROM tidings.census c "
    "LEFT JOIN (SELECT type, version, CAST(sum(entries) AS bigint) AS entries, min(first) AS first, max(last) AS last, "
    "count(*) AS segments FROM tidings.census_segment WHERE last > $1 GROUP BY type, version) s ON true"
)
_ADD = (
    "INSERT INTO tidings.census_segment AS s (segment, type, version, entries, first, last) "
    "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (segment, type, version) DO UPDATE SET "
    "entries = s.entries + excluded.entries, last = excluded.last RETURNING 1"
)
_PARKED = (
    "SELECT p.state, d.consumer, d.type, d.dataversion, count(*), min(p.parked_at), count(DISTINCT d.subject), "
    "min(d.event_subject) FROM tidings.dead_letter d JOIN tidings.parked p ON p.consumer = d.consumer "
    "AND p.subject = d.subject GROUP BY p.state, d.consumer, d.type, d.dataversion"
)
_OUTBOX = "SELECT type, dataversion, count(*), min(staged) FROM tidings.outbox GROUP BY type, dataversion"
_DELIVERIES = (
    "SELECT endpoint, type, coalesce(pin, 0), count(*), min(intended) FROM tidings.delivery "
    f"WHERE {OPEN} AND endpoint IS NOT NULL AND type IS NOT NULL GROUP BY endpoint, type, pin"
)
_GIVEN_UP = (
    "SELECT endpoint, type, coalesce(pin, 0), count(*), min(closed), count(DISTINCT subject), min(subject) "
    "FROM tidings.delivery WHERE state = 'dead' AND endpoint IS NOT NULL AND type IS NOT NULL "
    "GROUP BY endpoint, type, pin"
)
_PLACES: dict[str, Place] = {"dead": "dead", "retrying": "retry"}


def counted(after: Position) -> Script[tuple[Position, bool, list[Tally]]]:
    """Return up to where segments are counted, whether they are known to be wrong, and what those hold that reach
    beyond `after`."""
    rows = yield from ask(_SEGMENTS, after)
    tallies = [
        Tally(type=type, version=version, entries=entries, first=first, last=last, segments=segments)
        for _, _, type, version, entries, first, last, segments in rows
        if type is not None
    ]
    return rows[0][0], bool(rows[0][1]), tallies


def begin() -> Script[Position]:
    """Return up to where segments are counted; nobody else goes on from there until the transaction ends."""
    [(upto,)] = yield from ask("SELECT upto FROM tidings.census FOR UPDATE")
    return int(upto)


def add(segments: Iterable[tuple[int, Tally]], *, upto: Position) -> Script[int]:
    """Add what was counted behind the place where `begin` stood, up to `upto`."""
    entries = 0
    for segment, each in segments:
        entries += each.entries
        yield from ask(_ADD, segment, each.type, each.version, each.entries, each.first, each.last)
    yield from ask("UPDATE tidings.census SET upto = $1 WHERE upto < $1 RETURNING 1", upto)
    return entries


def mark(*, differs: bool) -> Script[None]:
    """Keep whether a recount found other numbers."""
    yield from ask("UPDATE tidings.census SET differs = $1 RETURNING 1", int(differs))


def reset() -> Script[None]:
    """Have everything counted anew."""
    yield from ask("DELETE FROM tidings.census_segment RETURNING 1")
    yield from ask("UPDATE tidings.census SET upto = 0, differs = 0 RETURNING 1")


def miscounts(counted: Sequence[Tally], found: Sequence[Tally]) -> list[Miscount]:
    """Return where two counts differ."""
    said, there = ({(each.type, each.version): each.entries for each in merged(some)} for some in (counted, found))
    return [
        Miscount(type=type, version=version, counted=said.get((type, version), 0), found=there.get((type, version), 0))
        for type, version in sorted({*said, *there})
        if said.get((type, version), 0) != there.get((type, version), 0)
    ]


def waiting() -> Script[list[Waiting]]:
    found = [_waiting(_PLACES[state], *rest) for state, *rest in (yield from ask(_PARKED))]
    found += [_waiting("given-up", *row) for row in (yield from ask(_GIVEN_UP))]
    for type, version, entries, oldest in (yield from ask(_OUTBOX)):
        found.append(Waiting(place="outbox", of="", type=type, version=version, entries=entries, oldest=oldest))
    for endpoint, type, pin, entries, oldest in (yield from ask(_DELIVERIES)):
        found.append(Waiting(place="delivery", of=endpoint, type=type, version=pin, entries=entries, oldest=oldest))
    return sorted(found, key=lambda each: (each.place, each.of, each.type, each.version))


def known_after(begin: Position, known: Counted | None, *, upto: Position) -> tuple[Stretch, ...]:
    """Return the stretches from a position on, where that is one at which a stretch begins; else none."""
    if known is None or known.upto != upto or all(each.after != begin for each in known.rest):
        return ()
    return tuple(each for each in known.rest if each.after >= begin)


def _waiting(place: Place, *row: Any) -> Waiting:
    of, type, version, entries, oldest, subjects, subject = row
    return Waiting(
        place=place,
        of=of,
        type=type,
        version=version,
        entries=entries,
        oldest=oldest,
        subjects=subjects,
        subject=subject,
    )


def merged(tallies: Sequence[Tally]) -> tuple[Tally, ...]:
    """Return one tally for each version."""
    found: dict[tuple[str, int], Tally] = {}
    for each in tallies:
        key = each.type, each.version
        before = found.get(key)
        found[key] = each if before is None else _sum(before, each)
    return tuple(found[key] for key in sorted(found))


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(
        type=one.type,
        version=one.version,
        entries=one.entries + other.entries,
        first=min(one.first, other.first),
        last=max(one.last, other.last),
        segments=one.segments + other.segments,
    )
