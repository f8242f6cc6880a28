"""A sequence of positions that stands behind its log, as logical replication leaves it, which copies no sequences.

What is appended then stands where all readers have been, or is refused because the position is taken.
"""

from __future__ import annotations

from tidings.backends.postgres.connection import Connection
from tidings.errors import SequenceRewoundError

DRAWN = "(SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM tidings.position)"
"""The last position that was drawn."""
USED = "greatest((SELECT max(pos) FROM tidings.log), (SELECT greatest(safe_pos, floor_pos) FROM tidings.head))"
"""The last one that has an entry, or that readers take for one that never will have any."""

# The sequence is read as it is now, the rest as it was when the statement began: so it is behind only if it is wrong.
_IS_BEHIND = f"SELECT {DRAWN} < {USED}"


def rewound() -> SequenceRewoundError:
    """Return what to tell of it."""
    return SequenceRewoundError(
        "the sequence of positions stands behind the log: it was restored from an older copy, or left out of the copy, "
        "as logical replication does, and readers would pass over what is appended. Stop every process, and run "
        "`tidings log restored`"
    )


async def check(connection: Connection) -> None:
    """SequenceRewoundError if the next position may be one that was used."""
    if await connection.fetchval(_IS_BEHIND):
        raise rewound()
