"""Appending, inside a transaction that somebody else begins and commits: a flush's own, or a unit's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidings.backends.sqlite.entries import Kept, add_entries, encode, kept_of
from tidings.backends.sqlite.judging import Found, Judgement, compare, judge
from tidings.backends.sqlite.seen import Seen
from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write
from tidings.log.seen_key import Keys, Sought
from tidings.ports import Ports


class MustFoldError(Exception):
    """What is appended is fed to inline views, so its transaction has to be a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Writes, with all that can be worked out before the transaction begins. `envelopes`: theirs, in order."""

    writes: Sequence[Write]
    envelopes: Sequence[Envelope]
    sought: Sought
    kept: Kept
    types: frozenset[str]


class SqliteAppender:
    """Judges writes and keeps the good ones. `committed` is called, on the event loop, after a commit of them."""

    def __init__(self, keys: Keys, seen: Seen, ports: Ports, committed: Callable[[], None]) -> None:
        self.inline_types: frozenset[str] = frozenset()
        self._keys = keys
        self._seen = seen
        self._ports = ports
        self._committed = committed

    def appended(self) -> None:
        """Be told, on the event loop, that what `append_in` kept is committed."""
        self._committed()

    def undone(self, connection: sqlite3.Connection) -> None:
        """Be told, on the writer's thread, that a savepoint was undone: what was kept since is kept no more."""
        self._seen.undone(connection)

    def append_in(self, connection: sqlite3.Connection, writes: Sequence[Write]) -> list[Receipt]:
        """Judge and keep the writes, as `LogDriver.append` does; the caller commits. Each id stands once among them."""
        return self.keep(connection, self.draft(writes))

    def draft(self, writes: Sequence[Write]) -> Draft:
        """Work out what the rows of these writes are. It takes no transaction, so none is held for it."""
        envelopes = [envelope for write in writes for envelope in write.envelopes]
        encoded = [encode(envelope) for envelope in envelopes]
        return Draft(
            writes=writes,
            envelopes=envelopes,
            sought=self._keys.sought(envelopes),
            kept=kept_of(envelopes, encoded),
            types=frozenset([envelope.type for envelope in envelopes]),
        )

    def keep(self, connection: sqlite3.Connection, draft: Draft, *, in_unit: bool = True) -> list[Receipt]:
        """Judge and keep. MustFoldError, before anything is done, if that takes a unit and this is none.

        All keys are taken first and at once; those that were there already are judged then, and positions that were
        meant for them, or for a refused write, are left out.
        """
        points = self._ports.points
        head, version = connection.execute("SELECT pos, seen_version FROM tidings_head").fetchone()
        if self._seen.catch_up(connection, version):
            self._read_inline_types(connection)
        if not in_unit and not self.inline_types.isdisjoint(draft.types):
            raise MustFoldError
        positions = range(head + 1, head + len(draft.envelopes) + 1)
        known = self._seen.take(connection, draft.sought, positions) if positions else {}
        points.at("append:after-probe")
        found = compare(connection, draft.envelopes, draft.sought.keys, known=known) if known else ({}, {})
        judgement = judge(connection, draft.writes, Found(*found, positions))
        if judgement.refused:
            self._seen.forget(connection, draft.sought, judgement.refused)
        if judgement.kept:
            self._add(connection, draft, judgement, positions)
        return judgement.receipts

    def _add(self, connection: sqlite3.Connection, draft: Draft, judgement: Judgement, positions: range) -> None:
        kept, places = draft.kept, judgement.kept
        drawn: Sequence[int] = positions
        if len(places) < len(positions):
            kept, drawn = kept.some(places), [positions[n] for n in places]
        connection.execute("UPDATE tidings_head SET pos = ?", (drawn[-1],))
        self._ports.points.at("append:after-draw")
        add_entries(connection, kept, positions=drawn, recorded=self._ports.clock.now_us())
        self._ports.points.at("append:after-insert")

    def _read_inline_types(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT DISTINCT type FROM tidings_inline").fetchall()
        self.inline_types = frozenset([type for (type,) in rows])

    def sought(self, source: str, id: str) -> Sought:
        """Return what stands for this identity."""
        return self._keys.sought([Envelope(source=source, id=id, type="")])
