"""Folding events into a view on PostgreSQL, all of the way, beside the `eventsourcing` library's projection runner."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from benchmarks import bare_postgres, fold, ours
from benchmarks.events import bookmarks, facts
from benchmarks.figures import Check, Result, ratio
from benchmarks.machine import Disk
from benchmarks.peers import eventsourcing_postgres, eventsourcing_projection
from benchmarks.rounds import alternate
from benchmarks.sizes import Sizes
from tidings import App

NAME = "fold-postgres"
OURS, PEER = "tidings, Consumer and view", "eventsourcing, projection runner"
RATE, PEER_TARGET = 20_000, 10


async def measure(folder: Path, sizes: Sizes) -> Result:
    with bare_postgres.server(folder) as url:
        await prepare(url, sizes)

        async def run_ours() -> float:
            own = await bare_postgres.made(url, "ours", template="log")
            seconds = await ours.carry(App(bookmarks), own, fold.CONSUMER)
            await bare_postgres.check(own, "bookmarks.bookmark__v1", sizes.fold)
            return seconds

        async def run_peer() -> float:
            own = await bare_postgres.made(url, "peer-copy", template="peer")
            seconds = eventsourcing_postgres.fold(own)
            await bare_postgres.check(own, "bookmark", sizes.peer)
            return seconds

        figures = await alternate(
            {OURS: run_ours, PEER: run_peer},
            Disk(folder),
            events={OURS: sizes.fold, PEER: sizes.peer},
            rounds=sizes.rounds,
        )
    return Result(
        measure="fold into a view on PostgreSQL, whole path",
        figures=list(figures.values()),
        checks=[
            Check(name=OURS, rounds=figures[OURS].rounds, limit=RATE, unit="events/s"),
            ratio(f"{OURS} / {PEER}", figures[OURS], figures[PEER], limit=PEER_TARGET),
        ],
        notes=[
            f"both fold the same bookmarks, the peer the first {sizes.peer:,} of {sizes.fold:,} so that a round ends"
        ],
    )


async def prepare(url: str, sizes: Sizes) -> None:
    """Make the databases whose copies are folded."""
    log, peer = await bare_postgres.made(url, "log"), await bare_postgres.made(url, "peer")
    await fold.prepare(log, sizes.fold)
    eventsourcing_projection.prepare(
        eventsourcing_postgres.environment(peer), list(islice(facts(fold.SEED), sizes.peer))
    )
    for made in (log, peer):
        await bare_postgres.settled(made)
