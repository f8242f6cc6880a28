"""What the planner takes to answer when ten million events are stored, and what counting them costs those who append.

The log's last part is real: a consumer has part of it before it, and some of it is in no segment yet. The segments of
what lies before are written down, as the census would have written them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar

from benchmarks import bare_postgres, ours
from benchmarks.events import envelopes
from benchmarks.figures import Check, Figure, Result
from benchmarks.rounds import Stopwatch
from benchmarks.sizes import Sizes
from tidings.app.engines import BackEnd, open_back_end
from tidings.log.driver import LogDriver
from tidings.log.log import Log
from tidings.operations.asking import asked
from tidings.ports import Ports
from tidings.settings import Settings
from tidings.store.driver import StoreDriver
from tidings.store.scripts.tallying import SEGMENT_BITS
from tidings.store.versions import EventVersion, VersionLease
from tidings.versions.said import Said, details_of

NAMES = {"sqlite": "planner", "postgresql": "planner-postgres"}
TYPES, VERSIONS, SERVICES, INSTANCES = 4, 3, 6, 2
STORED = 10_000_000
ANSWERS = 20
ANSWER_MS, SHARE = 100.0, 0.05
BATCH = 100
PROVED_SECONDS = 0.5
"""Soon after it is read it is written down how far the log is final."""
T = TypeVar("T")
Seconds = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Place:
    """A database to plan in. `server`: the seconds of processor time that its server has used, 0 without one.

    `write`: has it run a statement, which is how the segments of what is not there come in.
    """

    url: str
    server: Seconds
    write: Callable[[str], Awaitable[None]]


async def measure_on(place: Place, name: str, sizes: Sizes) -> Result:
    """Measure both on one back end."""
    appending, counting, answering, waiting = [], [], [], []
    back_end = await open_back_end(Settings(database_url=place.url), Ports())
    log, seeds = Log(back_end.log, Ports()), count(1)
    for _ in range(sizes.rounds):
        given = envelopes(sizes.batches, seed=next(seeds))
        used, _ = await _used(place, lambda given=given: _appended(log, given))
        appending.append(used / sizes.batches * 1e6)
        await _read(back_end.log)
        used, entries = await _used(place, lambda: _counted(back_end.store))
        if entries != sizes.batches:
            raise RuntimeError(f"{entries:,} entries are counted, {sizes.batches:,} were appended")
        counting.append(used / sizes.batches * 1e6)
    await _written_down(place, back_end, log, next(seeds), sizes)
    for _ in range(sizes.rounds):
        begun = time.perf_counter()
        used, _ = await _used(place, lambda: _answered(back_end.store))
        answering.append(used / ANSWERS * 1000)
        waiting.append((time.perf_counter() - begun) / ANSWERS * 1000)
    await log.close()
    await back_end.close()
    append = Figure(name=f"CPU time, Log.append of {BATCH}", unit="µs an event", rounds=appending)
    census = Figure(name="CPU time, the census of it", unit="µs an event", rounds=counting)
    share = [a / b for a, b in zip(counting, appending, strict=True)]
    cpu = Figure(name="CPU time, an answer", unit="ms", rounds=answering)
    return Result(
        measure=f"planner and census on {name}, {STORED:,} events stored",
        figures=[append, census, cpu, Figure(name="an answer", unit="ms", rounds=waiting)],
        checks=[
            Check(
                name="an answer of the planner", rounds=answering, limit=ANSWER_MS, sense="at most", unit="ms of CPU"
            ),
            Check(name="the census / the appends it counts", rounds=share, limit=SHARE, sense="at most"),
        ],
        notes=[
            f"{STORED >> SEGMENT_BITS} segments of {TYPES} types in {VERSIONS} versions, {SERVICES} services of "
            f"{INSTANCES} instances, one of which has {sizes.batches // 2:,} entries before it",
            "CPU time is that of this process and of all processes of the server, if there is one",
        ],
    )


async def _used(place: Place, work: Callable[[], Awaitable[T]]) -> tuple[float, T]:
    """Return the seconds of processor time that some work takes here and in the server, and what it returns."""
    before, watch = await place.server(), Stopwatch()
    with watch:
        found = await work()
    return watch.used + await place.server() - before, found


async def _appended(log: Log, given: list) -> None:  # type: ignore[type-arg]
    await ours.append(log, given, batch=BATCH, watch=Stopwatch())


async def _counted(store: StoreDriver) -> int:
    counted = 0
    while more := await store.fold_census():
        counted += more
    return counted


async def _read(log: LogDriver) -> None:
    """Read all there is, as consumers do: what nobody has read is not proved to be final, nor counted."""
    head, after = (await log.head()).position, 0
    while after < head:
        after = (await log.read(after=after, limit=10_000)).upto
    await asyncio.sleep(PROVED_SECONDS)


async def _answered(store: StoreDriver) -> None:
    for n in range(ANSWERS):
        given = {"producer": "s0", "type": f"type-{n % TYPES}", "version": VERSIONS}
        await asked(store, "switch", given)


async def _written_down(place: Place, back_end: BackEnd, log: Log, seed: int, sizes: Sizes) -> None:
    """Have ten million events in the census, versions and leases of all services, and a consumer that is behind."""
    store = back_end.store
    rows = [
        EventVersion(type=f"type-{type}", version=version, sha256="", schema=b"{}")
        for type in range(TYPES)
        for version in range(1, VERSIONS + 1)
    ]
    await store.register_versions(rows, replaces=False)
    await store.join_versions(list(_leases()), ttl=timedelta(hours=1))
    await store.register("s1", partitions=4, start=(await log.head()).position)
    each = (1 << SEGMENT_BITS) // (TYPES * VERSIONS)
    values = [
        f"({segment}, 'type-{type}', {version}, {each}, 1, {1 << SEGMENT_BITS})"
        for segment in range(-(STORED >> SEGMENT_BITS), 0)
        for type in range(TYPES)
        for version in range(1, VERSIONS + 1)
    ]
    for start in range(0, len(values), 500):
        columns = "segment, type, version, entries, first, last"
        await place.write(
            f"INSERT INTO tidings_census_segment ({columns}) VALUES {', '.join(values[start : start + 500])}"
        )
    await ours.append(log, envelopes(sizes.batches // 2, seed=seed), batch=BATCH, watch=Stopwatch())


def _leases() -> list[VersionLease]:
    versions = tuple(range(1, VERSIONS + 1))
    details = details_of(Said(natives=(VERSIONS,), steps=tuple((n, n + 1, ()) for n in versions[:-1])))
    return [
        VersionLease(
            instance=f"i{service}-{instance}",
            service=f"s{service}",
            consumer=f"s{service}" if role == "accept" else "",
            type=f"type-{type}",
            role=role,
            versions=versions,
            admission="admitted",
            details=details,
        )
        for service in range(SERVICES)
        for instance in range(INSTANCES)
        for type in range(TYPES)
        for role in ("accept", "emit")
    ]


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[Place]:
    """Start a server."""
    with bare_postgres.server(folder) as url:
        watching = await bare_postgres.connect(url)

        async def write(statement: str) -> None:
            await watching.execute(statement.replace("tidings_census_segment", "tidings.census_segment"))

        yield Place(url, lambda: bare_postgres.cpu_seconds(watching), write)
        await watching.close()
