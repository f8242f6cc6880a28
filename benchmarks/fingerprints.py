"""What it costs to find the rows that differ: a table's sums of limbs, and the bytes that two sides send each other."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Check, Figure, Result, ratio
from benchmarks.rounds import Stopwatch
from benchmarks.sizes import Sizes
from tidings.backends.sqlite.scripts import run
from tidings.fingerprints.peers import Peer
from tidings.fingerprints.rows import limbs
from tidings.fingerprints.sheet import Sheet
from tidings.store.scripts.fingerprinting import KeyRange, LimbTable, fingerprints

NAME = "fingerprints"
TABLE = LimbTable(name="held", key="k")
RAW = "SELECT count(*), sum(h0), sum(h1), sum(h2), sum(h3) FROM held"
ROWS_PER_SECOND, OF_RAW = 3_000_000, 0.8
DIFFERENCES, KIB, TRIPS = 100, 200, 3
UNIT = "rows a second of CPU"


async def measure(folder: Path, sizes: Sizes) -> Result:
    rows = sizes.replay
    connection = _table(folder / "held.db", rows)
    parts: list[KeyRange] = [(n * rows // 32, (n + 1) * rows // 32) for n in range(32)]
    sides: dict[str, Callable[[], object]] = {
        "the bare query": lambda: connection.execute(RAW).fetchall(),
        "fingerprints of 32 ranges": lambda: run(connection, fingerprints(TABLE, parts)),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(sizes.rounds):
        for name, side in sides.items():
            watch = Stopwatch()
            with watch:
                side()
            rates[name].append(rows / watch.used)
    connection.close()
    bare, ours = (Figure(name=name, unit=UNIT, rounds=found) for name, found in rates.items())
    trips, kib = _asked(rows)
    return Result(
        measure=f"fingerprints of {rows:,} rows",
        figures=[bare, ours],
        checks=[
            Check(name=ours.name, rounds=ours.rounds, limit=ROWS_PER_SECOND, unit=UNIT),
            ratio(f"{ours.name} / {bare.name}", ours, bare, limit=OF_RAW),
            Check(
                name=f"{DIFFERENCES} differences found by peers", rounds=[kib], limit=KIB, sense="at most", unit="KiB"
            ),
            Check(name="the same", rounds=[trips], limit=TRIPS, sense="at most", unit="round trips"),
        ],
        notes=[
            "SQLite, hashes kept beside the rows, all of it in its cache; keys of the peers' rows have 16 random bytes"
        ],
    )


def _table(path: Path, rows: int) -> sqlite3.Connection:
    connection, draw = sqlite3.connect(path), random.Random(1)
    connection.execute("PRAGMA cache_size = -262144")
    connection.execute("CREATE TABLE held (k INTEGER PRIMARY KEY, h0 BIGINT, h1 BIGINT, h2 BIGINT, h3 BIGINT)")
    filled = ((n, *limbs(draw.getrandbits(128))) for n in range(rows))
    connection.executemany("INSERT INTO held VALUES (?, ?, ?, ?, ?)", filled)
    connection.commit()
    return connection


def _asked(rows: int) -> tuple[int, float]:
    """Return the round trips, and the KiB of all messages both ways."""
    draw = random.Random(2)
    held = sorted((draw.randbytes(16), draw.getrandbits(128)) for _ in range(rows))
    asking = Peer(Sheet(held), b"the key1")
    for place in draw.sample(range(rows), DIFFERENCES):
        held[place] = (held[place][0], draw.getrandbits(128))
    asked = Peer(Sheet(held), b"the key1")
    message, trips, size = asking.opening(), 0, 0
    while message:
        answer = asked.answer(message)
        trips, size = trips + 1, size + sum(map(len, message + answer))
        message = asking.answer(answer)
    if len(asking.differing) != DIFFERENCES:
        raise RuntimeError(f"{len(asking.differing)} differences were found")
    return trips, size / 1024
