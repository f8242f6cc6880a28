"""When one table of a view may take the place of another, and what appends must know of inline ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidings.errors import InlineViewError, NotFoundError, RefusedError
from tidings.store.audit import Change
from tidings.store.claims import Checkpoint
from tidings.store.inline import InlineFolds
from tidings.store.rows import ViewRecord, ViewTable
from tidings.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """A building table that is to become the current one, its consumer, and the consumer of the table that is current.

    `who`: as of `tidings.store.audit.Change`; `accepts_parked`: whether it may lack subjects that are parked for it;
    `now`: µs since 1970.
    """

    record: ViewRecord
    consumer: str
    replaced_consumer: str | None
    who: str
    accepts_parked: bool
    now: int

    def taking_away(self, replaced_consumer: str, *, subjects: int, entries: int) -> Change:
        """Return what the audit keeps of what was parked for the table that was replaced."""
        reason = (
            f"{counted(subjects, 'parked subject')} with {counted(entries, 'entry', 'entries')}: "
            f"{self.record.table.name} took its table's place, and has read the same log"
        )
        return Change(who=self.who, what="replace", on=replaced_consumer, reason=reason)


def version_of(record: ViewRecord) -> tuple[str, str, int]:
    """Return what names a table: service, view, version."""
    return record.table.service, record.table.view, record.table.version


def of_view(records: Iterable[ViewRecord], table: ViewTable) -> list[ViewRecord]:
    """Return the tables of this view, of every version."""
    wanted = table.service, table.view
    return [record for record in records if (record.table.service, record.table.view) == wanted]


def is_to_be_made(records: Iterable[ViewRecord], record: ViewRecord) -> bool:
    """Say whether the table is not there; RefusedError if it is there in another shape or state."""
    there = _same_version(records, record)
    if there is not None and there != record:
        raise RefusedError(f"{there.table.name} is there in another shape, as {there.state}: take the next version")
    return there is None


def built(records: Iterable[ViewRecord], record: ViewRecord) -> ViewRecord:
    """Return what is noted of the table; NotFoundError if it is not there."""
    there = _same_version(records, record)
    if there is None:
        raise NotFoundError("table", record.table.name, hint="build it first")
    return there


def to_be_removed(records: Iterable[ViewRecord], record: ViewRecord) -> ViewRecord | None:
    """Return what is noted of the table, None if it is gone; RefusedError if it is current."""
    there = _same_version(records, record)
    if there is not None and there.state == "current":
        name = there.table.name
        raise RefusedError(f"{name} is current: make another version of the view the current one first")
    return there


def _same_version(records: Iterable[ViewRecord], record: ViewRecord) -> ViewRecord | None:
    return next((old for old in records if version_of(old) == version_of(record)), None)


def current_of(records: Iterable[ViewRecord]) -> ViewRecord | None:
    """Return the one that is current."""
    return next((record for record in records if record.state == "current"), None)


def is_behind(new: Mapping[int, Checkpoint], old: Mapping[int, Checkpoint]) -> bool:
    """Say whether some entry that the old consumer has settled may not be settled by the new one."""
    if not old:
        return False
    if len(new) == len(old):
        return any(new[part].position < checkpoint.position for part, checkpoint in old.items())
    lowest = min((checkpoint.position for checkpoint in new.values()), default=0)
    return lowest < max(checkpoint.position for checkpoint in old.values())


def stamps_of(records: Iterable[ViewRecord]) -> list[tuple[str, str]]:
    """Return which shapes of inline views each type is fed to, sorted: what every appender looks at."""
    fed = [record for record in records if record.mode == "inline" and record.state != "replaced"]
    return sorted({(type, record.shape) for record in fed for type in record.types})


def fed_by(records: Iterable[ViewRecord], types: frozenset[str], folds: InlineFolds | None) -> Sequence[ViewRecord]:
    """Return the inline tables, current and building, that entries of these types are folded into.

    InlineViewError if `folds`, what this process holds, lacks one.
    """
    fed = [
        record
        for record in records
        if record.mode == "inline" and record.state != "replaced" and not types.isdisjoint(record.types)
    ]
    for record in fed:
        for type in types & frozenset(record.types):
            if folds is None or record.shape not in folds.stamps.get(type, ()):
                raise InlineViewError(
                    f"{type} is folded into {record.table.name} when it is appended, and this process does not "
                    f"have that fold: append it from a process that runs this release of {record.table.service}"
                )
    return fed


def same_name(name: str) -> RefusedError:
    return RefusedError(f"{name} is there already, made by somebody else: rename it, or rename the view")
