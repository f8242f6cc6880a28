"""Whether what an adapter hands over is what it says it is: what a provider lists is as little trusted as a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tidings.errors import InvalidDataError
from tidings.events.rules import INDEXED_BYTES_MAX, TOO_LONG, is_indexed
from tidings.reconciliation.listing import Answer, Hint, Page, Row, Snapshot

CURSOR_MAX = 64 * 1024
_NUMBER_MAX = 2**64


def sound_page(page: Any, *, by_key: bool) -> tuple[Page, Sequence[str]]:
    """Return a page with those of its rows that name their item, and why each other does not; the page then proves
    nothing.

    `by_key`: the list is ordered by keys, so that whatever else a row says of its place means nothing. TypeError or
    ValueError of what is no page.
    """
    if not isinstance(page, Page) or not isinstance(page.rows, Sequence) or isinstance(page.rows, str | bytes):
        raise TypeError(f"{page!r:.80} is no page")
    cursor, total = page.next_cursor, page.total
    if cursor is not None and (not isinstance(cursor, str) or len(cursor.encode()) > CURSOR_MAX):
        raise TypeError(f"{cursor!r:.80} is no cursor")
    if cursor == "":  # the end, or the key of a last item that has none
        raise TypeError("'' is no cursor: None says that the list ends")
    if total is not None and (not isinstance(total, int) or not 0 <= total < _NUMBER_MAX):
        raise TypeError(f"{total!r:.80} is no count")
    if _are_named(page.rows):
        return page, ()
    rows = [row for row in page.rows if _is_named(row)]
    if by_key and any(row.order is not None for row in rows):
        rows = [replace(row, order=None) for row in rows]
    return replace(page, rows=rows), [_why(row) for row in page.rows if not _is_named(row)]


def sound_answer(answer: Any, key: str) -> Answer:
    """Return an answer about the item of this key. TypeError of what is none."""
    row = answer.row if isinstance(answer, Answer) else answer
    if not isinstance(answer, Answer) or not (row is None or (isinstance(row, Row) and row.key == key)):
        why = row.unreadable if isinstance(row, Row) else ""
        raise TypeError(f"{why or repr(answer):.80} is no answer about {key!r:.80}")
    if row is not None and not _is_place(row.order):
        raise TypeError(f"{row.order!r:.80} is no place in a list")
    return answer


def sound_said(said: Snapshot | Hint | None) -> Snapshot | Hint | None:
    """Return what an event says. InvalidDataError of an item that nothing can be noted of."""
    if said is None or (is_indexed(said.key) and _is_place(getattr(said, "order", None))):
        return said
    raise InvalidDataError(f"the item {said.key!r:.80} has a key or a place of {TOO_LONG}, or what is none")


def _are_named(rows: Sequence[Any]) -> bool:
    """Say so at once where all of a page do, and stand where their keys say."""
    try:
        keys = [row.key for row in rows]
        "".join(keys).encode()
        if max(map(len, keys), default=0) > INDEXED_BYTES_MAX // 4:
            return False
        return all(keys) and {*map(type, rows)} <= {Row} and {row.order for row in rows} <= {None}
    except (AttributeError, TypeError, UnicodeEncodeError):
        return False


def _is_named(row: Any) -> bool:
    return isinstance(row, Row) and _is_text(row.key) and _is_place(row.order)


def _why(row: Any) -> str:
    return (isinstance(row, Row) and row.unreadable) or f"{row!r:.80} names no item"


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and 0 < len(value.encode()) <= INDEXED_BYTES_MAX
    except UnicodeEncodeError:
        return False


def _is_place(order: Any) -> bool:
    parts = order if isinstance(order, tuple) else (order,)
    if order is None:
        return True
    return (
        bool(parts)
        and is_indexed("".join(part for part in parts if _is_text(part)))
        and all(
            abs(part) < _NUMBER_MAX // 2 if isinstance(part, int) else part == "" or _is_text(part) for part in parts
        )
    )
