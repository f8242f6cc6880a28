"""Events processed: a handler that is given one event at a time and keeps a row, once for each event, whatever fails.

Beside it libraries that promise as much: DBOS, whose workflow and transaction are found again by the event's id, and
`eventsourcing`, whose projection keeps each effect with the position it came from.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from itertools import islice
from pathlib import Path

from benchmarks import ours
from benchmarks.events import TweetBookmarked, facts
from benchmarks.figures import Result, ratio
from benchmarks.fold import prepare
from benchmarks.machine import Disk
from benchmarks.peers import eventsourcing_projection
from benchmarks.rounds import alternate
from benchmarks.server import answer_of
from benchmarks.sizes import Sizes
from tidings import App, Context, Service

NAME = "processed"
SEED = 1
OURS, DBOS, EVENTSOURCING = "tidings, a handler", "DBOS, a workflow", "eventsourcing, tracked projection"
DBOS_TARGET, EVENTSOURCING_TARGET = 20, 4

shelf = Service("shelf")


@shelf.view(key=("user_id", "tweet_id"))
class Kept:
    user_id: str
    tweet_id: str
    text: str


@shelf.on(TweetBookmarked)
async def keep(event: TweetBookmarked, ctx: Context) -> None:
    await ctx.put(Kept(event.user_id, event.tweet_id, event.text))


async def measure(folder: Path, sizes: Sizes) -> Result:
    await prepare(ours.in_file(folder / "log.db"), sizes.processed)
    recorded = eventsourcing_projection.environment(str(folder / "peer.db"))
    eventsourcing_projection.prepare(recorded, list(islice(facts(SEED), sizes.peer)))

    async def run_ours() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            return await process(Path(shutil.copy(folder / "log.db", own)), sizes.processed)

    async def run_dbos() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            return float(await answer_of("benchmarks.peers.dbos_workflows", own, str(sizes.workflows)))

    async def run_eventsourcing() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            return eventsourcing_projection.fold(shutil.copy(folder / "peer.db", own), sizes.peer)

    figures = await alternate(
        {OURS: run_ours, DBOS: run_dbos, EVENTSOURCING: run_eventsourcing},
        Disk(folder),
        events={OURS: sizes.processed, DBOS: sizes.workflows, EVENTSOURCING: sizes.peer},
        rounds=sizes.rounds,
    )
    return Result(
        measure="events processed, one durable effect each",
        figures=list(figures.values()),
        checks=[
            ratio(f"{OURS} / {DBOS}", figures[OURS], figures[DBOS], limit=DBOS_TARGET),
            ratio(f"{OURS} / {EVENTSOURCING}", figures[OURS], figures[EVENTSOURCING], limit=EVENTSOURCING_TARGET),
        ],
        notes=[
            "all keep the same bookmarks, a row each; the slower ones fewer of them, so that a round ends",
            "ours and the projection commit an effect with the position it came from, ours a page of them at a time; "
            "DBOS commits each effect with its workflow's id, and the workflow's begin and end besides",
        ],
    )


async def process(path: Path, count: int) -> float:
    """Let the handler have all of the log; return the seconds it took."""
    seconds = await ours.carry(App(shelf), ours.in_file(path), shelf.name)
    with sqlite3.connect(path) as connection:
        [[found]] = connection.execute("SELECT count(*) FROM shelf_kept").fetchall()
    connection.close()
    if found != count:
        raise RuntimeError(f"the handler kept {found:,} rows instead of {count:,}")
    return seconds
