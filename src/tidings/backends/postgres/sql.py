"""The handler's own statements, inside the unit. Placeholders are `$1`, `$2`, …, as PostgreSQL has them."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from tidings.backends.postgres.connection import Connection
from tidings.backends.postgres.defining import our_schema, plain, refuse_wide, views_named
from tidings.errors import RefusedError
from tidings.events.strict import decode_json

Run = Callable[[Callable[[Connection], Awaitable[Any]]], Awaitable[Any]]

_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "WITH"})
_DEFINES = frozenset(
    {"CREATE", "DROP", "ALTER", "TRUNCATE", "COMMENT", "GRANT", "REVOKE", "REINDEX", "LOCK", "REFRESH", "ANALYZE"}
)
_ALLOWED = frozenset({"SELECT", "VALUES", "TABLE", "EXPLAIN"}) | _WRITES | _DEFINES
_OURS = re.compile(r"tidings\..*|.*__v[0-9]+(__members)?", re.DOTALL)
_OURS_NAMED = re.compile(r'"?\btidings\b"?\s*\.\s*"?\w+"?|\w*__v[0-9]+(?:__members)?\b', re.IGNORECASE)
_INTO_OURS = re.compile(rf"\bINTO\s+(?:(?:TEMP|TEMPORARY|UNLOGGED|TABLE)\s+)*({_OURS_NAMED.pattern})", re.IGNORECASE)
# Looked for in every statement, and six times as fast as what begins with a choice of words.
_COUNTS_OURS = re.compile(r"val(?<=setval|extval)\"?\s*\(\s*'(\"?tidings\b\"?\s*\.\s*\"?\w+\"?)", re.IGNORECASE)
_PUBLISHED = "SELECT service || '_' || name FROM tidings.view WHERE service || '_' || name = ANY ($1::text[]) LIMIT 1"
_RUNS = re.compile(r"\bANALY[ZS]E\b", re.IGNORECASE)
_SETS = re.compile(r"\bset_config\b", re.IGNORECASE)
_SETS_FOR_THE_UNIT = re.compile(r"\bset_config\"?\s*\([^()]*,\s*true\s*\)", re.IGNORECASE)
_LOCKS_ON = re.compile(r"\bpg_(?:try_)?advisory_lock(?:_shared)?\b", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s;(]+|--[^\n]*(?:\n|\Z)")
_NEXT_MARK = re.compile(r"/\*|\*/")
_CHANGED = re.compile(r"(?:INSERT 0|UPDATE|DELETE|MERGE) (\d+)")
_REMEMBERED = 1024


def first_word(statement: str) -> str:
    """Return the word that a statement begins with, in capitals; "" if none. Comments nest, as in PostgreSQL."""
    at = 0
    while True:
        between = _BETWEEN.match(statement, at)
        if between is not None:
            at = between.end()
        elif statement.startswith("/*", at):
            at = _behind_comment(statement, at)
        else:
            break
    found = re.compile(r"[A-Za-z]*").match(statement, at)
    return found[0].upper() if found else ""


def _behind_comment(statement: str, at: int) -> int:
    depth = 0
    for mark in _NEXT_MARK.finditer(statement, at):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(statement)


def refuse_control(statement: str) -> str:
    """Return its first word; RefusedError for a statement that would end, split or leave the unit's transaction."""
    word = first_word(statement)
    if word == "SET":
        raise RefusedError("SET is not run in a unit, whose connection others use after it: select set_config(…, true)")
    if word not in _ALLOWED:
        raise RefusedError(
            f"{word or statement[:20]!r} is not run in a unit, which begins, commits and rolls back by itself: "
            "leave it out, or use `unit.savepoint()`"
        )
    if word == "EXPLAIN" and _RUNS.search(statement):
        raise RefusedError("EXPLAIN with ANALYZE runs what it explains, and is not run in a unit: leave ANALYZE out")
    if _LOCKS_ON.search(statement):
        raise RefusedError("a lock of the session would outlive the unit: take pg_advisory_xact_lock")
    return word


def refuse_settings(statement: str, parameters: Sequence[Any]) -> None:
    """RefusedError for a setting that would outlive the unit, or hide from the guard whose tables are named."""
    sets = len(_SETS.findall(statement))
    if sets != len(_SETS_FOR_THE_UNIT.findall(statement)):
        raise RefusedError("a setting must not outlive the unit, whose connection others use: set_config(…, true)")
    if sets and any("search_path" in str(each).lower() for each in (statement, *parameters)):
        raise RefusedError("search_path is not set in a unit: name the schema in front of the table")


class Guard:
    """Refuses handlers' statements that write tables of tidings or of views.

    The planner says which tables a statement writes, whatever its text looks like, also through an SQL view; it is
    asked once for each text. What a function or a trigger writes it does not say: this is against slips.
    """

    __slots__ = ("_allowed",)

    def __init__(self) -> None:
        self._allowed: OrderedDict[str, None] = OrderedDict()

    async def check(self, connection: Connection, statement: str, parameters: Sequence[Any]) -> None:
        """RefusedError for what is not a handler's to run."""
        word = refuse_control(statement)
        refuse_settings(statement, parameters)
        for pattern in (_INTO_OURS, _COUNTS_OURS):  # of which no plan tells
            found = pattern.search(statement)
            if found is not None:
                raise _refused(found[1])
        if word in _DEFINES:
            await _refuse_defining(connection, statement)
        elif word in _WRITES and statement not in self._allowed:
            plan = await connection.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON, COSTS OFF)\n{statement}", *parameters)
            for name in _written(decode_json(plan.encode())):
                if _OURS.fullmatch(name):
                    raise _refused(name)
            self._remember(statement)

    def _remember(self, statement: str) -> None:
        self._allowed[statement] = None
        if len(self._allowed) > _REMEMBERED:
            self._allowed.popitem(last=False)


async def _refuse_defining(connection: Connection, statement: str) -> None:
    said = plain(statement)
    refuse_wide(said)
    named = _OURS_NAMED.search(statement)
    name = named[0] if named is not None else our_schema(said)
    views = views_named(said)
    if name is None and views:
        name = await connection.fetchval(_PUBLISHED, views)
    if name is not None:
        raise _refused(name)


def _written(plan: Any) -> Iterator[str]:
    """Yield the names of all tables that a plan writes, each behind its schema's."""
    parts: list[Any] = [plan]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            parts += part.values()
            targets = (part, *part.get("Target Tables", ())) if "Operation" in part else ()
            yield from (f"{target.get('Schema')}.{target.get('Relation Name')}" for target in targets)


def _refused(name: str) -> RefusedError:
    return RefusedError(
        f"{name} is not a handler's to write: views are written by folds, ctx.put and ctx.delete, and the schema "
        "tidings and names that end in __v and a number are taken; make a table of another name"
    )


class HandlerSql:
    """Runs statements in the unit's transaction, on its connection. `has_run`: whether there were any."""

    __slots__ = ("_guard", "_run", "has_run")

    def __init__(self, run: Run, guard: Guard) -> None:
        self.has_run = False
        self._run = run
        self._guard = guard

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        refuse_control(statement)

        async def job(connection: Connection) -> str:
            await self._guard.check(connection, statement, parameters)
            self.has_run = True
            return await connection.status(statement, *parameters)

        changed = _CHANGED.match(await self._run(job))
        return int(changed[1]) if changed else 0

    async def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        refuse_control(statement)

        async def job(connection: Connection) -> list[tuple[Any, ...]]:
            await self._guard.check(connection, statement, parameters)
            self.has_run = True
            return [tuple(row) for row in await connection.fetch(statement, *parameters)]

        rows: list[tuple[Any, ...]] = await self._run(job)
        return rows
