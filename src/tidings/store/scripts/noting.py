"""Scripts about what is noted of a scope that is reconciled with another system."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import groupby

from tidings.store.note_store import Alike, Span
from tidings.store.scripts.script import CHANGED, Columns, Script, ask, chunks, from_table, pieces, places

_COLUMNS: Columns = (("scope", "text"), ("kind", "text"), ("key", "bytea"), ("body", "bytea"))
_PUT = (
    "INSERT INTO tidings.scope_note (scope, kind, key, body) SELECT {scope}, {kind}, {key}, {body} FROM {table} "
    "WHERE true ON CONFLICT (scope, kind, key) DO UPDATE SET body = excluded.body" + CHANGED
)
_HOLD = "SELECT name FROM tidings.scope WHERE name = $1 FOR UPDATE"


def hold(scope: str) -> Script[None]:
    """Let nobody else hold the scope until the transaction ends."""
    if not (yield from ask(_HOLD, scope)):
        yield from ask(f"INSERT INTO tidings.scope (name) VALUES ($1) ON CONFLICT DO NOTHING{CHANGED}", scope)
        yield from ask(_HOLD, scope)


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


def between(scope: str, span: Span) -> Script[list[tuple[bytes, bytes]]]:
    where, held = _where(scope, span)
    order = " DESC" if span.falling else ""
    bounded = "" if span.limit is None else f" LIMIT {int(span.limit)}"
    rows = yield from ask(
        f"SELECT key, body FROM tidings.scope_note WHERE {where} ORDER BY scope{order}, kind{order}, key{order}"
        f"{bounded}",
        *held,
    )
    return rows


def within(scope: str, spans: Sequence[Span]) -> Script[list[list[tuple[bytes, bytes]] | None]]:
    found: list[list[tuple[bytes, bytes]] | None] = []
    for of_all, group in groupby(spans, _of_all):
        if of_all is not None:
            found += yield from _of_kinds(scope, list(group))
            continue
        for span in group:
            is_alike = span.unless is not None and (yield from _is_alike(scope, span, span.unless))
            found.append(None if is_alike else (yield from between(scope, span)))
    return found


def _of_all(span: Span) -> Hashable:
    """Return what spans have in common of which all notes are told at once; None of one to be told by itself."""
    is_whole = span.limit is None and span.unless is None and not span.falling
    return (span.after, span.upto) if is_whole else None


def _of_kinds(scope: str, spans: Sequence[Span]) -> Script[list[list[tuple[bytes, bytes]]]]:
    """Return the notes of spans that differ by their kinds alone: a statement costs more than the few there are."""
    found: dict[str, list[tuple[bytes, bytes]]] = {span.kind: [] for span in spans}
    where, held = _bounds(spans[0], [scope, *found])
    rows = yield from ask(
        f"SELECT kind, key, body FROM tidings.scope_note WHERE scope = $1 AND kind IN ({places(2, len(found))}){where} "
        "ORDER BY kind, key",
        *held,
    )
    for kind, key, body in rows:
        found[kind].append((key, body))
    return [found[span.kind] for span in spans]


def _is_alike(scope: str, span: Span, alike: Alike) -> Script[bool]:
    """Compare notes in one piece, which costs less than half of having them one by one."""
    where, held = _where(scope, span)
    first, count = len(held) + 1, len(held) + 2
    [(joined, notes)] = yield from ask(
        f"SELECT string_agg(key || substr(body, ${first}::int, ${count}::int), '' ORDER BY key), count(*) "
        f"FROM tidings.scope_note WHERE {where}",
        *(*held, alike.part.start + 1, alike.part.stop - alike.part.start),
    )
    return notes == alike.count and (joined or b"") == alike.joined


def _where(scope: str, span: Span) -> tuple[str, list[object]]:
    where, held = _bounds(span, [scope, span.kind])
    return f"scope = $1 AND kind = $2{where}", held


def _bounds(span: Span, held: list[object]) -> tuple[str, list[object]]:
    where = ""
    for bound, sign in ((span.after, ">"), (span.upto, "<=")):
        if bound is not None:
            held.append(bound)
            where += f" AND key {sign} ${len(held)}"
    return where, held


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
