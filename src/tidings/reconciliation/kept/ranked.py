"""Items that a clock which was wrong has ranked by a time that is still to come: nothing older wins over that."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.reconciliation.kept.coding import Mirrored
from tidings.store.note_store import NoteStore

CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class RankedAhead:
    """How many items there are, the `first` of them in the order of their places, and the latest time of any, µs."""

    count: int = 0
    first: str = ""
    latest: int = 0


async def ranked_ahead(notes: NoteStore, scope: str, *, than: int) -> RankedAhead:
    """Return the items of a copy that are ranked by a later time, µs. Each is looked at: a second for some million."""
    found, after = RankedAhead(), None
    while page := await notes.notes_between(scope, "mirror", after=after, limit=CHUNK):
        late = [(time, at, body) for at, body in page if (time := Mirrored.time(body)) > than]
        if late:
            first = found.first or Mirrored.of(*late[0][1:]).key
            found = RankedAhead(found.count + len(late), first, max(found.latest, *(time for time, *_ in late)))
        after = page[-1][0]
    return found
