"""When a version ends: what has to be so before each step of that, and whom its coming is told. Pure decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tidings.store.versions import EventVersion, VersionLease
from tidings.versions.answer import Reason
from tidings.versions.census import Census
from tidings.versions.reasons import dates
from tidings.versions.reasons.names import second_of
from tidings.versions.said import said_of

DAY_US = 86_400_000_000
_SECOND_US = 1_000_000
TOLD_DAYS = (30, 7, 1)
"""So many days before the date it is told, while a service still writes the version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearing:
    """A deprecated version whose date is near, or over. `writers`: the services that write it now.

    `days`: whole days that are left, negative once it is over.
    """

    type: str
    version: int
    sunset: int
    days: int
    writers: tuple[str, ...]

    @property
    def is_overdue(self) -> bool:
        return self.days < 0

    @property
    def text(self) -> str:
        """Say it in one sentence, with what to do."""
        who = ", ".join(self.writers)
        name, day = f"{self.type} version {self.version}", second_of(self.sunset)
        if self.is_overdue:
            return f"{name} was to end {day}, and {who} still writes it: deploy one that does not"
        return f"{name} ends {day}, and {who} still writes it: deploy one that does not before"


def writers(census: Census, type: str, version: int) -> tuple[str, ...]:
    """Return the services whose releases that run write this version now: as their own, or brought down to it."""
    open_ = [each.version for each in census.of_type(type).values() if each.gate == "open"]
    emitting = [each for each in census.live("emit", type) if each.service]
    return tuple(sorted({each.service for each in emitting if version in _written(each, open_)}))


def may_end(census: Census, row: EventVersion, *, strict: bool) -> list[Reason]:
    """Say whether a version that is deprecated is over now. `strict`: though a service writes it."""
    if row.sunset is None:
        return [dates.no_date(row)]
    if row.sunset > census.as_of.time:
        return [dates.sunset_not_reached(row.type, row.version, row.sunset)]
    return [] if strict else [dates.still_written(row, each) for each in writers(census, row.type, row.version)]


def nearing(census: Census) -> Iterator[Nearing]:
    """Yield the versions that services write though their date is less than 30 days away, or over."""
    for row in census.versions:
        if row.life != "deprecated" or row.sunset is None:
            continue
        days = (row.sunset - census.as_of.time) // DAY_US
        who = writers(census, row.type, row.version) if days < max(TOLD_DAYS) else ()
        if who:
            yield Nearing(type=row.type, version=row.version, sunset=row.sunset, days=days, writers=who)


def ended_early(census: Census) -> Iterator[str]:
    """Yield, as sentences, the versions that are over before their date, and how they go on."""
    for row in census.versions:
        if row.life == "sunset" and row.sunset is not None and row.sunset > census.as_of.time:
            named = f"{row.type} {row.version}"
            date = second_of(-(-row.sunset // _SECOND_US) * _SECOND_US)  # none earlier than the one that was said
            yield (
                f"{row.type} version {row.version} ended before its date, {date}: a clock was ahead when it did, or is "
                f"behind now. To have it go on: `tidings versions deprecate {named} --sunset {date}`, and then "
                f"`tidings versions open {named}`"
            )


def _written(lease: VersionLease, open_: Sequence[int]) -> Iterator[int]:
    """Yield the version that each class of a release is appended as: the highest open one that steps lead down to."""
    said = said_of(lease.details)
    for native in lease.versions:
        below = sorted((each for each in open_ if each <= native), reverse=True)
        yield from [each for each in below if said.path(native, each) is not None][:1]
