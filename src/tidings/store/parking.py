"""Parked subjects and their dead letters: what every store says and keeps of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tidings.errors import NotFoundError, RefusedError
from tidings.events.envelope import Entry
from tidings.events.identity import SLOTS, slot_of
from tidings.log.driver import Position
from tidings.store.audit import Change
from tidings.store.reason import Reason
from tidings.store.rows import ViewTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A subject that waits with all its later entries.

    `state` "retrying": it is tried again at `next_at`; "dead": only when an operator says so.
    """

    consumer: str
    subject: str
    part: int
    state: Literal["retrying", "dead"]
    attempts: int
    next_at: int | None
    reason: str
    error: str
    first_position: Position
    parked_at: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An entry set aside, with its stored bytes, so that retention or a changed class lose nothing."""

    consumer: str
    subject: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Parking:
    """Entries, in log order, that are to be set aside with their subject. `now`: µs since 1970."""

    consumer: str
    subject: str
    entries: Sequence[Entry]
    now: int

    def part(self, partitions: int) -> int:
        """Return the partition that the subject belongs to, of a consumer that has so many; 0 for an unknown one."""
        first = self.entries[0].envelope
        return slot_of(first.source, first.id, first.subject) * max(1, partitions) // SLOTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropping:
    """An entry that is given up, why, and by whom. `now`: µs since 1970."""

    consumer: str
    subject: str
    position: Position
    reason: str
    who: str
    now: int

    @property
    def change(self) -> Change:
        """What the audit keeps of it."""
        return Change(
            who=self.who,
            what="drop",
            on=self.consumer,
            subject=self.subject,
            position=self.position,
            reason=self.reason,
        )


def told(reason: Reason) -> tuple[str, int | None, str, str]:
    """Return state, next_at, reason and error as a row keeps them."""
    return "dead" if reason.next_at is None else "retrying", reason.next_at, reason.kind, reason.error


def parked_of(rows: Iterable[Sequence[Any]]) -> list[Parked]:
    """Return what these rows say: consumer, subject, part, state, attempts, next_at, reason, error, parked_at, and the
    first position and the number of the entries that wait."""
    return [
        Parked(
            consumer=consumer,
            subject=subject,
            part=part,
            state=state,
            attempts=attempts,
            next_at=next_at,
            reason=reason,
            error=error,
            first_position=first,
            parked_at=parked_at,
            entries=entries,
        )
        for consumer, subject, part, state, attempts, next_at, reason, error, parked_at, first, entries in rows
    ]


def other_tables(view: ViewTable) -> tuple[str, str]:
    """Return the bounds, both exclusive, of the names that consumers of this view's tables have."""
    return f"{view.service}.{view.view}@", f"{view.service}.{view.view}A"  # "A" comes right after "@"


def not_parked_yet(parking: Parking) -> RefusedError:
    return RefusedError(f"{parking.subject!r} is not parked for {parking.consumer}: say why it is to be")


def not_parked(consumer: str, subject: str) -> NotFoundError:
    return NotFoundError("parked subject", subject, of=consumer)


def no_dead_letter(consumer: str, subject: str, position: Position) -> NotFoundError:
    return NotFoundError(
        "dead letter", str(position), of=f"{subject!r} for {consumer}", hint="it was redriven or dropped"
    )
