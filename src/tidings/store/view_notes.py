"""What a back end in a database notes of each table of a view, beside the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from tidings.events.codec import Decoder, encode_json
from tidings.store.rows import ViewRecord
from tidings.store.swapping import version_of


def columns_of(record: ViewRecord) -> tuple[Any, ...]:
    """Return what a row keeps: service, name, version, state, shape, mode, declared, spec, which is all of it."""
    return (*version_of(record), record.state, record.shape, record.mode, record.declared, encode_json(record))


class ViewNotes:
    """Reads rows of spec and state. A spec never changes, and every append of an inline type reads all of them."""

    def __init__(self) -> None:
        self._decoder = Decoder(ViewRecord)
        self._decoded: dict[bytes, ViewRecord] = {}

    def records_of(self, rows: Iterable[tuple[bytes, Literal["current", "building", "replaced"]]]) -> list[ViewRecord]:
        """Return what these rows say."""
        return [replace(self._decode(spec), state=state) for spec, state in rows]

    def _decode(self, spec: bytes) -> ViewRecord:
        found = self._decoded.get(spec)
        if found is None:
            found = self._decoded[spec] = self._decoder.decode(spec)
        return found
