"""Rows of a list of what a receiver took, as they are compared with what was sent. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.reconciliation.copy.copying import Copied
from tidings.reconciliation.kept.coding import Mirrored, place_key
from tidings.reconciliation.listing import Row
from tidings.reconciliation.rules.places import Place, place

HASH = "sha256"
"""The member of a row's state that says the SHA-256 of the body as it was taken, in hexadecimal digits."""
UNTOLD = 0
"""What stands for the hash of a body of which none is told."""
_NOBODYS = 1


class Listed:
    """Reads rows. `by_key`: the list is ordered by the ids of what was sent."""

    def __init__(self, *, by_key: bool) -> None:
        self._by_key = by_key

    def listed(self, row: Row, *, latest: int) -> Copied:
        """Return a row as it is compared."""
        at: Place = (row.key,) if self._by_key or row.order is None else place(row.order)
        return Copied(row.key, at, self.at(row.key), self._hash(row), None, row)

    def contents(self, rows: Sequence[Row]) -> list[bytes]:
        """Return what is noted of what was sent so, if it was delivered."""
        return [Mirrored.content(self._hash(row)) for row in rows]

    def _hash(self, row: Row) -> int:
        told = row.state.get(HASH)
        return UNTOLD if told is None else _hash_told(told)

    @staticmethod
    def at(key: str) -> bytes:
        """Return where an id is noted, whatever its list is ordered by."""
        return place_key((key,))


def hash_of(digest: bytes | None) -> int:
    """Return what is compared of the hash of a body; None: none is known."""
    return UNTOLD if digest is None else int.from_bytes(digest[:8], signed=True) or _NOBODYS


def _hash_told(text: object) -> int:
    """Return the same of what a receiver tells; what is no hash is nobody's."""
    try:
        digest = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        digest = b""
    return hash_of(digest) if len(digest) == 32 else _NOBODYS
