"""What the function `tidings.append` is given for some writes: arrays, an element for each envelope."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import unpack
from typing import Any

from tidings.events.codec import attributes_to_bytes
from tidings.events.envelope import Envelope
from tidings.events.filter import EVERYTHING
from tidings.events.identity import SLOTS, identity_key, subject_key, subject_keys
from tidings.log.driver import Position, Write
from tidings.log.seen_key import Sought

STRIPE_BITS = 4
"""A stripe of subjects is 2^4 slots: 64 stripes. An append holds those of its subjects, one with conditions alone."""
STRIPES = SLOTS >> STRIPE_BITS

APPEND = f"SELECT * FROM tidings.append({', '.join(f'${n}' for n in range(1, 35))})"
_NO_COLUMNS: Sequence[None] = [None] * 9
_Placed = tuple[Sequence[int], Sequence[int | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Writes, with all that can be worked out before the server judges them.

    `expectations`: (number of the write from 0, subject, position), of all writes in order. `conditional`: the number
    of the write that has a condition. `counts` and so on: arguments of `tidings.append`, in its order. `placed`: the
    slots and the keys of the subjects; None: worked out with the columns.
    """

    writes: Sequence[Write]
    envelopes: Sequence[Envelope]
    types: frozenset[str]
    expectations: Sequence[tuple[int, str, Position]]
    conditional: int | None
    counts: Sequence[int]
    keys: Sequence[Any]
    placed: _Placed | None
    judged_by: Sequence[Any]

    def columns(self) -> Sequence[Sequence[Any]]:
        """Return those of the log behind the time, an element for each envelope: made when the rows are wanted."""
        return (*(self.placed or _placed(self.envelopes)), *_columns(self.envelopes))

    def statement(
        self, *, in_unit: bool, recorded: int, same: Sequence[bool | None], with_columns: bool
    ) -> Sequence[Any]:
        """Return `APPEND` and its arguments. `same`: what is known of each envelope, or nothing of any."""
        columns = self.columns() if with_columns else _NO_COLUMNS
        types = None if with_columns else [*self.types]
        return (APPEND, in_unit, recorded, self.counts, *self.keys, same or None, types, *columns, *self.judged_by)


def draft_of(writes: Sequence[Write], sought: Sought, *, everywhere: bool = False) -> Draft:
    """Return the draft of these writes. `sought`: what stands for their envelopes, all of them in order.

    `everywhere`: it holds every stripe, as many subjects do anyhow, so that theirs can be worked out later.
    """
    envelopes = [envelope for write in writes for envelope in write.envelopes]
    expectations = [
        (n, subject, after) for n, write in enumerate(writes) for subject, after in (write.expected or {}).items()
    ]
    conditional = next((n for n, write in enumerate(writes) if write.condition is not None), None)
    placed = None if everywhere else _placed(envelopes)
    stripes = range(STRIPES) if placed is None else map(stripe_of, placed[0])
    expected = [subject for _, subject, _ in expectations]
    return Draft(
        writes=writes,
        envelopes=envelopes,
        types=frozenset([of.type for of in envelopes]),
        expectations=expectations,
        conditional=conditional,
        counts=[len(write.envelopes) for write in writes],
        keys=_keys(sought),
        placed=placed,
        judged_by=(
            *_expected(expectations),
            *_condition(writes, conditional),
            *_stripes(stripes, alone=_alone(writes, expected, conditional)),
        ),
    )


def _keys(sought: Sought) -> Sequence[Any]:
    """Return p_low, p_high, p_has_opaque, p_timed, and the two halves of each key, as signed numbers."""
    halves = unpack(f">{2 * len(sought.keys)}q", b"".join(sought.keys))
    firsts, seconds = halves[::2], halves[1::2]
    if not sought.timed:
        return None, None, bool(sought.opaque), None, firsts, seconds
    if not sought.opaque:
        return min(firsts), max(firsts), False, None, firsts, seconds
    timed = [False] * len(firsts)
    for n in sought.timed:
        timed[n] = True
    ordered = [firsts[n] for n in sought.timed]
    return min(ordered), max(ordered), True, timed, firsts, seconds


def _placed(envelopes: Sequence[Envelope]) -> _Placed:
    """Return the slots of the envelopes, and the keys of their subjects."""
    skeys = _skeys(envelopes)
    slots = [
        (identity_key(of.source, of.id) if skey is None else skey) % SLOTS
        for of, skey in zip(envelopes, skeys, strict=True)
    ]
    return slots, skeys


def _skeys(envelopes: Sequence[Envelope]) -> Sequence[int | None]:
    subjects = [envelope.subject for envelope in envelopes]
    named = [subject for subject in subjects if subject is not None]
    keys = subject_keys(named)
    if len(named) == len(subjects):
        return keys
    following = iter(keys)
    return [None if subject is None else next(following) for subject in subjects]


def _columns(envelopes: Sequence[Envelope]) -> tuple[Sequence[Any], ...]:
    return (
        [of.source for of in envelopes],
        [of.id for of in envelopes],
        [of.type for of in envelopes],
        [of.version for of in envelopes],
        [of.subject for of in envelopes],
        [attributes_to_bytes(of) for of in envelopes],
        [of.data for of in envelopes],
    )


def _expected(expectations: Sequence[tuple[int, str, Position]]) -> tuple[Sequence[Any] | None, ...]:
    """Return e_write, e_skey, e_subject, e_after."""
    if not expectations:
        return (None, None, None, None)
    numbers, subjects, after = zip(*expectations, strict=True)
    return [n + 1 for n in numbers], subject_keys(subjects), subjects, after


def _condition(writes: Sequence[Write], conditional: int | None) -> tuple[Any, ...]:
    """Return c_write, c_after, c_types, c_source, c_skey, c_subject, c_firsts, c_ends."""
    condition = None if conditional is None else writes[conditional].condition
    where = EVERYTHING if condition is None else condition.where
    return (
        None if conditional is None else conditional + 1,
        None if condition is None else condition.after,
        None if where.types is None else list(where.types),
        where.source,
        None if where.subject is None else subject_key(where.subject),
        where.subject,
        None if where.slots is None else [first for first, _ in where.slots],
        None if where.slots is None else [end for _, end in where.slots],
    )


def _alone(writes: Sequence[Write], expected: Sequence[str], conditional: int | None) -> frozenset[int]:
    """Return the stripes that nobody else may write to until what is expected of them was looked at and acted on."""
    found = {stripe_of(subject_key(subject) % SLOTS) for subject in expected}
    condition = None if conditional is None else writes[conditional].condition
    if condition is not None:
        subject = condition.where.subject
        found |= set(range(STRIPES)) if subject is None else {stripe_of(subject_key(subject) % SLOTS)}
    return frozenset(found)


def _stripes(held: Iterable[int], *, alone: frozenset[int]) -> tuple[Sequence[int], Sequence[bool] | None]:
    stripes = sorted({*held, *alone})
    return stripes, [stripe in alone for stripe in stripes] if alone else None


def stripe_of(slot: int) -> int:
    """Return the stripe of the subjects of a slot."""
    return slot >> STRIPE_BITS
