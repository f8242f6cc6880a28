"""Events in over HTTP: `POST /events` of one event each, kept durably and once, answered when it is.

Beside our server stand a bare ASGI function that appends to the same log and checks nothing, which is the limit, and
what a team would write by hand with FastAPI. All are one process; the callers are another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

from benchmarks.figures import Figure, Result, ratio
from benchmarks.load import Found, Load
from benchmarks.machine import Disk
from benchmarks.ours import in_file
from benchmarks.server import Server, call, serving
from benchmarks.sizes import Sizes

Sides = Mapping[str, str]
"""What each server is called here, and in `benchmarks.serving`."""

NAME = "ingest"
CONNECTIONS = 64
WARM_SECONDS = 0.5
OURS, LIMIT, ORM = "tidings", "bare ASGI, same group commit", "FastAPI, SQLAlchemy, aiosqlite"
SQL, VIEW, NOTHING = "FastAPI, SQL by hand, aiosqlite", "tidings, with an async view", "answers only, keeps nothing"
SIDES: Sides = {
    OURS: "ours",
    LIMIT: "bare",
    ORM: "fastapi_sqlalchemy",
    SQL: "fastapi_sql",
    VIEW: "ours_with_view",
    NOTHING: "answers",
}
LIMIT_TARGET, ORM_TARGET, SQL_TARGET, P99_TARGET = 0.7, 15, 4, 0.2
NOTES = (
    "each request is a structured CloudEvent of 300 bytes of data and a random id, the same bytes for all",
    "the bare function decodes it, appends it to the log that ours appends to, and answers the same",
    "that the callers are no limit shows in what they reach where nothing is kept",
)


async def measure(folder: Path, sizes: Sizes) -> Result:
    turns = Turns(SIDES, sizes, Disk(folder))
    await turns.run({side: in_file(folder / f"{side}.db") for side in SIDES.values()})
    rate, p99 = turns.rate, turns.p99
    return Result(
        measure=f"POST /events, one event each, {CONNECTIONS} connections",
        figures=turns.figures(),
        checks=[
            ratio(f"{OURS} / {LIMIT}", rate(OURS), rate(LIMIT), limit=LIMIT_TARGET),
            ratio(f"{OURS} / {ORM}", rate(OURS), rate(ORM), limit=ORM_TARGET),
            ratio(f"{OURS} / {SQL}", rate(OURS), rate(SQL), limit=SQL_TARGET),
            ratio(f"99 % within, {OURS} / {ORM}", p99(OURS), p99(ORM), limit=P99_TARGET, sense="at most"),
        ],
        notes=NOTES,
    )


class Turns:
    """What was found of each side, round by round."""

    def __init__(self, sides: Sides, sizes: Sizes, disk: Disk) -> None:
        self._sides = sides
        self._seconds = sizes.calling
        self._rounds = sizes.rounds
        self._disk = disk
        self._seeds = count(1)
        self._found: dict[str, list[Found]] = {name: [] for name in sides}
        self._cpu: dict[str, list[float]] = {name: [] for name in sides}
        self._flushes: dict[str, int | None] = dict.fromkeys(sides, 0)

    async def run(self, urls: Mapping[str, str]) -> None:
        """Let all sides serve, each on its database, and call them in turn."""
        async with AsyncExitStack() as stack:
            servers = {
                name: await stack.enter_async_context(serving(side, urls[side])) for name, side in self._sides.items()
            }
            for _ in range(self._rounds):
                for name, server in servers.items():
                    await self.take(name, server)

    async def take(self, name: str, server: Server) -> None:
        used, before = server.cpu_seconds(), self._disk.flushes()
        load = Load(
            port=server.port,
            connections=CONNECTIONS,
            seconds=self._seconds,
            warm=WARM_SECONDS,
            seed=next(self._seeds),
        )
        found, after = await call(load), self._disk.flushes()
        if set(found.statuses) != {"201"} or found.repeated != (201 if name == NOTHING else 200):
            raise RuntimeError(f"{name} answered {found.statuses}, and a repeat with {found.repeated}")
        self._found[name].append(found)
        self._cpu[name].append((server.cpu_seconds() - used) / found.sent * 1_000_000)
        flushes = self._flushes[name]
        whole = flushes is not None and before is not None and after is not None
        self._flushes[name] = flushes + after - before if whole else None

    def figures(self) -> Sequence[Figure]:
        return [
            *[self.rate(name) for name in self._sides],
            *[self._figure("half within", name, "ms", lambda found: found.p50) for name in self._sides],
            *[self.p99(name) for name in self._sides],
            *[self._cpu_time(name) for name in self._sides],
            *[self._figure("callers", name, "of a core", lambda found: found.busy) for name in (OURS, NOTHING)],
        ]

    def rate(self, name: str) -> Figure:
        flushes, sent = self._flushes[name], sum(found.sent for found in self._found[name])
        return Figure(
            name=name,
            unit="events/s",
            rounds=[found.rate for found in self._found[name]],
            flushes=None if flushes is None else flushes / sent,
        )

    def p99(self, name: str) -> Figure:
        return self._figure("99 % within", name, "ms", lambda found: found.p99)

    def _cpu_time(self, name: str) -> Figure:
        return Figure(name=f"server's CPU time, {name}", unit="µs a request", rounds=self._cpu[name])

    def _figure(self, what: str, name: str, unit: str, value: Callable[[Found], float]) -> Figure:
        return Figure(name=f"{what}, {name}", unit=unit, rounds=[value(found) for found in self._found[name]])
