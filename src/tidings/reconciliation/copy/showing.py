"""A page of a list as columns, so that a row that is equal to the copy costs its hash and one look, and no object."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tidings.reconciliation.copy.copying import Copies, UnreadableError, listed
from tidings.reconciliation.kept.coding import Mirrored, place_key, text_keys
from tidings.reconciliation.listing import Row
from tidings.reconciliation.rules.places import Place, place
from tidings.store.note_store import Alike


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows of a page that are not listed as deleted. `ats`: their places, as bytes; `contents`: what the mirror
    keeps of such states, see `Mirrored.content`, b"" of one that cannot be kept."""

    rows: Sequence[Row]
    keys: Sequence[str]
    places: Sequence[Place]
    ats: Sequence[bytes]
    contents: Sequence[bytes]

    def alike(self) -> Alike | None:
        """Return what notes of the mirror are alike to if they hold these rows as they are, and no others; None if one
        of these cannot be kept.

        Of places that are keys: one ends by itself, and what is kept of a live row begins with no byte that it could
        go on with.
        """
        if b"" in self.contents:
            return None
        parts = [b""] * (2 * len(self.ats))
        parts[::2], parts[1::2] = self.ats, self.contents
        return Alike(Mirrored.CONTENT, b"".join(parts), len(self.ats))

    @property
    def control(self) -> str:
        """The key of an item that is certainly there, and can be read."""
        return next((row.key for row in reversed(self.rows) if not row.unreadable), "")

    def unlike(self, mirror: Mapping[bytes, bytes], *, but: Collection[bytes], apart: Collection[str]) -> list[Row]:
        """Return the rows that the mirror does not hold as they are. `but`: places of which it will hold something
        else; `apart`: keys of which more is to be said."""
        held, content = mirror.get, Mirrored.CONTENT
        found = [
            n
            for n, (at, said) in enumerate(zip(self.ats, self.contents, strict=True))
            if held(at, b"")[content] != said or not said
        ]
        if but or apart:
            others = (n for n, at in enumerate(self.ats) if at in but or self.keys[n] in apart)
            found = sorted({*found, *others})
        return [self.rows[n] for n in found]


def shown(copying: Copies, rows: Sequence[Row], *, latest: int) -> Shown:
    """Return a page as columns. `latest`: see `ReadOf`."""
    live = [row for row in rows if not row.gone]
    keys = [row.key for row in live]
    contents = _contents(copying, live, latest)
    if {row.order for row in live} <= {None}:
        return Shown(live, keys, list(zip(keys, strict=False)), text_keys(keys), contents)
    places: list[Place] = [(row.key,) if row.order is None else place(row.order) for row in live]
    return Shown(live, keys, places, [place_key(at) for at in places], contents)


def _contents(copying: Copies, rows: Sequence[Row], latest: int) -> Sequence[bytes]:
    if {row.unreadable for row in rows} <= {""}:
        with suppress(UnreadableError):  # one of them is: the others count
            return copying.contents(rows)
    return [_content(copying, row, latest) for row in rows]


def _content(copying: Copies, row: Row, latest: int) -> bytes:
    try:
        return Mirrored.content(listed(copying, row, latest=latest).hash)
    except UnreadableError:
        return b""
