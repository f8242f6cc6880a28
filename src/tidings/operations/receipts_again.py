"""What came to a receiver since a time, made into events again: for when its translation was wrong until now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.errors import ConflictError, NotFoundError, RefusedError
from tidings.operations.progress import Progress, unwatched
from tidings.operations.receivers import Receivers
from tidings.store.driver import StoreDriver

PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What came at `since` or later, µs since 1970, and before the run began.

    `run`: when a run began that was stopped, to go on with it; None for a new one. `dry_run`: count only.
    """

    since: int
    run: int | None = None
    dry_run: bool = False
    progress: Progress = unwatched


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedAll:
    """How many receipts became how many events; of a dry run, how many would be replayed.

    `run`: when it began; None for a dry run. `left`: the numbers of those that are no events, each with why.
    """

    run: int | None
    receipts: int
    events: int = 0
    left: Sequence[tuple[int, str]] = ()


async def replay_since(receivers: Receivers, id: str, wanted: Wanted, *, who: str = "local") -> ReplayedAll:
    """Replay a receiver's receipts one after the other, the oldest first, each as `Receivers.replay` does.

    Left out are those that were dropped, or are in conflict: somebody else has decided what they are. What is replayed
    since the run began, by it or by hand, is not replayed once more. NotFoundError.
    """
    await receivers.show(id)
    began = receivers.ports.clock.now_us() if wanted.run is None else wanted.run
    found = await _found(receivers.store, id, since=wanted.since, began=began)
    if wanted.dry_run:
        return ReplayedAll(run=None, receipts=sum(has_body for _, has_body in found))
    receipts, events, left = 0, 0, []
    for place, (n, _) in enumerate(found):
        wanted.progress("replaying", place, len(found))
        try:
            done = await receivers.replay(id, n, nonce=f"{began:x}", who=who)
        except (RefusedError, ConflictError, NotFoundError) as error:
            left.append((n, str(error)))
            continue
        if done.error is None:
            receipts, events = receipts + 1, events + len(done.events)
        else:
            left.append((n, done.error))
    return ReplayedAll(run=began, receipts=receipts, events=events, left=left)


async def _found(store: StoreDriver, id: str, *, since: int, began: int) -> list[tuple[int, bool]]:
    """Return the numbers of what is to be replayed, rising, each with whether its body is kept."""
    found: list[tuple[int, bool]] = []
    before: int | None = None
    while True:
        page = await store.receipts(id, since=since, until=began, before=before, limit=PAGE)
        found += [
            (each.n, each.bytes is not None)
            for each in page
            if each.outcome in ("stored", "failed") and (each.replayed is None or each.replayed < began)
        ]
        if len(page) < PAGE:
            return found[::-1]
        before = page[-1].n
