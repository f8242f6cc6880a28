"""In which members what is here differs from what there should be, and how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from tidings.reconciliation.copy.copying import Copied, Copying
from tidings.reconciliation.kept.coding import Field, Finding
from tidings.reconciliation.kept.notes import Notes
from tidings.reconciliation.rules.judging import DELETE, PUT
from tidings.store.rows import ViewTable
from tidings.store.unit import Unit

FIELDS_MAX = 50
TEXT_MAX = 200
"""Of a value so much is kept as tells two apart: what an item is, its event says."""


class Differing:
    """Compares members for one scope. `table`: what the copy is read from, None while it is made anew."""

    def __init__(self, copying: Copying, table: Callable[[], Awaitable[ViewTable | None]]) -> None:
        self._copying = copying
        self._table = table

    async def of(self, notes: Notes, findings: Sequence[Finding], copies: Mapping[str, Copied]) -> list[Finding]:
        """Return findings with the members that differ, of those of items that are both here and there."""
        asked = [each for each in findings if each.key in copies and _is_of_both(each)]
        table = await self._table() if asked else None
        if table is None:
            return list(findings)
        unit = cast(Unit, notes.unit)  # a run's notes are in a unit that may do all
        rows = await unit.rows(table, [self._copying.key_of(each.key) for each in asked])
        here = {key: row.values for key, row in rows.items() if row.rank.kind == PUT}
        return [self._with(each, here.get(self._copying.key_of(each.key)), copies.get(each.key)) for each in findings]

    def _with(self, found: Finding, here: tuple[Any, ...] | None, copy: Copied | None) -> Finding:
        if here is None or copy is None or not _is_of_both(found):
            return found
        fields = self._copying.differing(here, copy)[:FIELDS_MAX]
        return replace(found, fields=tuple(Field(name, text_of(one), text_of(other)) for name, one, other in fields))


def _is_of_both(found: Finding) -> bool:
    return found.base is not None and found.base[2] == PUT and found.rank[2] != DELETE


def text_of(value: Any) -> str:
    """Return a value as a finding tells it: JSON, cut where it is long."""
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"
