"""Scripts about what is noted of a scope that is reconciled with another system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tidings.store.scripts.script import CHANGED, Columns, Script, ask, chunks, from_table, pieces, places

_COLUMNS: Columns = (("scope", "text"), ("kind", "text"), ("key", "bytea"), ("body", "bytea"))
_PUT = (
    "INSERT INTO tidings.scope_note (scope, kind, key, body) SELECT {scope}, {kind}, {key}, {body} FROM {table} "
    "WHERE true ON CONFLICT (scope, kind, key) DO UPDATE SET body = excluded.body" + CHANGED
)


def hold(scope: str) -> Script[None]:
    """Let nobody else hold the scope until the transaction ends."""
    yield from ask(
        f"INSERT INTO tidings.scope (name) VALUES ($1) ON CONFLICT DO NOTHING{CHANGED}",
        scope,
    )
    yield from ask("SELECT name FROM tidings.scope WHERE name = $1 FOR UPDATE", scope)


def noted(scope: str, kind: str, keys: Iterable[bytes]) -> Script[dict[bytes, bytes]]:
    found: dict[bytes, bytes] = {}
    for piece in pieces(sorted(set(keys))):
        rows = yield from ask(
            "SELECT key, body FROM tidings.scope_note WHERE scope = $1 AND kind = $2 "
            f"AND key IN ({places(3, len(piece))})",
            *(scope, kind, *piece),
        )
        found.update((bytes(key), bytes(body)) for key, body in rows)
    return found


def between(
    scope: str, kind: str, *, after: bytes | None, upto: bytes | None, limit: int | None, falling: bool
) -> Script[list[tuple[bytes, bytes]]]:
    held: list[object] = [scope, kind]
    where = "scope = $1 AND kind = $2"
    for bound, sign in ((after, ">"), (upto, "<=")):
        if bound is not None:
            held.append(bound)
            where += f" AND key {sign} ${len(held)}"
    bounded = "" if limit is None else f" LIMIT {int(limit)}"
    order = " DESC" if falling else ""
    rows = yield from ask(
        f"SELECT key, body FROM tidings.scope_note WHERE {where} ORDER BY scope{order}, kind{order}, key{order}"
        f"{bounded}",
        *held,
    )
    return rows


def within(
    scope: str, kinds: Sequence[str], *, after: bytes, upto: bytes | None
) -> Script[dict[str, list[tuple[bytes, bytes]]]]:
    found = {}
    for kind in kinds:
        found[kind] = yield from between(scope, kind, after=after, upto=upto, limit=None, falling=False)
    return found


def counted(scope: str) -> Script[dict[str, int]]:
    rows = yield from ask(
        "SELECT kind, count(*) FROM tidings.scope_note WHERE scope = $1 GROUP BY kind ORDER BY kind", scope
    )
    return {kind: int(found) for kind, found in rows}


def scopes() -> Script[list[str]]:
    rows = yield from ask("SELECT name FROM tidings.scope ORDER BY name")
    return [name for (name,) in rows]


def note(scope: str, kind: str, notes: Mapping[bytes, bytes | None]) -> Script[None]:
    """Keep these, and remove those whose body is None."""
    gone = sorted(key for key, body in notes.items() if body is None)
    kept = sorted((key, body) for key, body in notes.items() if body is not None)
    for keys in chunks(gone):
        yield from ask(
            "DELETE FROM tidings.scope_note WHERE scope = $1 AND kind = $2 "
            f"AND key IN ({places(3, len(keys))}){CHANGED}",
            *(scope, kind, *keys),
        )
    for rows in chunks(kept):
        statement = from_table(_PUT, _COLUMNS, len(rows))
        yield from ask(statement, *(value for key, body in rows for value in (scope, kind, key, body)))


def forget(scope: str) -> Script[None]:
    """Remove a scope and all that is noted of it."""
    yield from ask(f"DELETE FROM tidings.scope_note WHERE scope = $1{CHANGED}", scope)
    yield from ask(f"DELETE FROM tidings.scope WHERE name = $1{CHANGED}", scope)
