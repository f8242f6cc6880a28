"""What operators changed, a row for each; none is ever removed, because views leave out for ever what was dropped."""

from __future__ import annotations

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.stored import subject_bytes
from tidings.store.audit import Audited, Change
from tidings.store.reason import readable

_COLUMNS = "at, who, what, done_to, subject, pos, reason"


async def note(connection: Connection, change: Change, *, now: int) -> None:
    await connection.execute(
        f"INSERT INTO tidings.audit ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        now,
        change.who,
        change.what,
        change.on,
        None if change.subject is None else subject_bytes(change.subject),
        change.position,
        readable(change.reason),
    )


async def listed(connection: Connection, *, before: int | None, limit: int) -> list[Audited]:
    rows = await connection.fetch(
        f"SELECT n, {_COLUMNS} FROM tidings.audit WHERE n < $1 ORDER BY n DESC LIMIT $2",
        2**63 - 1 if before is None else before,
        limit,
    )
    return [
        Audited(
            n=n,
            at=at,
            who=who,
            what=what,
            on=on,
            subject=None if subject is None else subject.decode(),
            position=position,
            reason=reason,
        )
        for n, at, who, what, on, subject, position, reason in rows
    ]
