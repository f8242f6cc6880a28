"""The fields of an item that we own, as they are compared. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from tidings.reconciliation.copy.copying import Copied, UnreadableError
from tidings.reconciliation.kept.coding import Mirrored
from tidings.reconciliation.listing import Row
from tidings.reconciliation.outbound.listed import Listed
from tidings.reconciliation.rules.places import Place, place

_encode = msgspec.json.Encoder(order="sorted").encode


class States:
    """Reads rows. `by_key`: the list is ordered by the keys of items. `secret`: of the scope, so that nobody can make
    two states look alike."""

    def __init__(self, fields: Collection[str], secret: bytes, *, by_key: bool) -> None:
        self._fields = tuple(sorted(fields))
        self._secret = secret
        self._by_key = by_key

    def listed(self, row: Row, *, latest: int) -> Copied:
        """Return a row as it is compared. UnreadableError if it lacks a field of ours."""
        at: Place = (row.key,) if self._by_key or row.order is None else place(row.order)
        return Copied(row.key, at, Listed.at(row.key), self.hash(self.of(row.state)), None, row)

    def contents(self, rows: Sequence[Row]) -> list[bytes]:
        """Return what is noted of items that are held so. UnreadableError."""
        return [Mirrored.content(self.hash(self.of(row.state))) for row in rows]

    def of(self, state: Mapping[str, Any]) -> bytes:
        """Return the fields that we own, as JSON. UnreadableError if one is missing, or has no form in JSON."""
        try:
            return _encode({name: state[name] for name in self._fields})
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableError(f"its state has no {error}") from error

    def hash(self, fields: bytes) -> int:
        """Return what is compared of them."""
        return int.from_bytes(blake2b(fields, key=self._secret, digest_size=8).digest(), signed=True) or 1
