"""Folding events into a view, all of the way: read, decode, fold, upsert, checkpoint, commit.

Beside it the bare loop, which is the limit, and the `eventsourcing` library's tracked projection, a peer that keeps the
same promise: each event's effect commits with the position it came from.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks import ours
from benchmarks.bare import BareLog, connect
from benchmarks.events import Bookmark, TweetBookmarked, bookmarks, envelopes, facts
from benchmarks.figures import Result, ratio
from benchmarks.machine import Disk
from benchmarks.peers import eventsourcing_projection as peer
from benchmarks.rounds import Stopwatch, alternate
from benchmarks.sizes import Sizes
from tidings import App

NAME = "fold"
PAGE = 1_000
SEED = 1
CONSUMER = "bookmarks.bookmark@1"
BARE, OURS, PEER = "bare loop", "tidings, Consumer and view", "eventsourcing, tracked projection"
BARE_TARGET, PEER_TARGET = 0.35, 15


async def measure(folder: Path, sizes: Sizes) -> Result:
    prepare_plain(folder / "plain.db", sizes.fold)
    await prepare(ours.in_file(folder / "log.db"), sizes.fold)
    peer.prepare(peer.environment(str(folder / "peer.db")), list(islice(facts(SEED), sizes.peer)))

    async def run_bare() -> float:
        return bare_loop(_copy(folder, "plain.db", "bare.db"), sizes.fold)

    async def run_ours() -> float:
        path = _copy(folder, "log.db", "ours.db")
        seconds = await ours.carry(App(bookmarks), ours.in_file(path), CONSUMER)
        _check(path, "bookmarks_bookmark", sizes.fold)
        return seconds

    async def run_peer() -> float:
        return peer.fold(str(_copy(folder, "peer.db", "peer-copy.db")), sizes.peer)

    figures = await alternate(
        {BARE: run_bare, OURS: run_ours, PEER: run_peer},
        Disk(folder),
        events={BARE: sizes.fold, OURS: sizes.fold, PEER: sizes.peer},
        rounds=sizes.rounds,
    )
    return Result(
        measure="fold into a view, whole path",
        figures=list(figures.values()),
        checks=[
            ratio(f"{OURS} / {BARE}", figures[OURS], figures[BARE], limit=BARE_TARGET),
            ratio(f"{OURS} / {PEER}", figures[OURS], figures[PEER], limit=PEER_TARGET),
        ],
        notes=[
            f"all fold the same bookmarks, the peer the first {sizes.peer:,} of {sizes.fold:,} so that a round ends",
            "the bare loop reads only the columns it needs, never looks at the rows that are there, "
            "and would be wrong for any event that comes late or twice",
        ],
    )


def prepare_plain(path: Path, count: int) -> None:
    """Make a plain table of so many bookmarks."""
    plain = BareLog(path)
    for start in range(0, count, ours.FILLING):
        given = envelopes(min(ours.FILLING, count - start), seed=SEED, start=start)
        plain.append(plain.rows(given), batch=ours.FILLING, watch=Stopwatch())
    plain.close()


async def prepare(url: str, count: int) -> None:
    """Make a log of the same."""
    async with ours.open_log(url) as log:
        for start in range(0, count, ours.FILLING):
            given = envelopes(min(ours.FILLING, count - start), seed=SEED, start=start)
            await ours.append(log, given, batch=ours.FILLING, watch=Stopwatch())


def _copy(folder: Path, name: str, to: str) -> Path:
    for suffix in ("-wal", "-shm"):
        (folder / (to + suffix)).unlink(missing_ok=True)
    return Path(shutil.copy(folder / name, folder / to))


def bare_loop(path: Path, count: int) -> float:
    """Fold the log as one would by hand, a page in a transaction; return the seconds it took."""
    connection, watch = connect(path), Stopwatch()
    connection.execute(
        "CREATE TABLE bookmark (user_id TEXT NOT NULL, tweet_id TEXT NOT NULL, text TEXT NOT NULL, "
        "PRIMARY KEY (user_id, tweet_id)) STRICT, WITHOUT ROWID"
    )
    connection.execute("CREATE TABLE checkpoint (pos INTEGER NOT NULL) STRICT")
    connection.execute("INSERT INTO checkpoint VALUES (0)")
    decode = msgspec.json.Decoder(TweetBookmarked).decode
    with watch:
        position = 0
        while position < count:
            position = _page(connection, position, decode)
    connection.close()
    _check(path, "bookmark", count)
    return watch.total


def _page(connection: sqlite3.Connection, after: int, decode: Callable[[bytes], TweetBookmarked]) -> int:
    connection.execute("BEGIN IMMEDIATE")
    statement = "SELECT pos, data FROM log WHERE pos > ? AND type = 'tweet-bookmarked' ORDER BY pos LIMIT ?"
    page = connection.execute(statement, (after, PAGE)).fetchall()
    rows: dict[tuple[str, str], Bookmark] = {}
    for _, data in page:
        event = decode(data)
        rows[event.user_id, event.tweet_id] = Bookmark(event.user_id, event.tweet_id, event.text)
    connection.executemany(
        "INSERT INTO bookmark VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text",
        [(row.user_id, row.tweet_id, row.text) for row in rows.values()],
    )
    upto: int = page[-1][0]
    connection.execute("UPDATE checkpoint SET pos = ?", (upto,))
    connection.execute("COMMIT")
    return upto


def _check(path: Path, table: str, count: int) -> None:
    connection = connect(path)
    [(found,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    connection.close()
    if found != count:
        raise RuntimeError(f"{table} holds {found:,} rows instead of {count:,}")
