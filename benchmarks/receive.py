"""Webhooks in over HTTP: `POST /hooks/till` of one signed delivery each, beside `POST /events` in the same process.

Each is verified, kept as a receipt with its event, and answered when both are durable. The callers are another process.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.figures import Check, Figure, Result, ratio
from benchmarks.ingest import CONNECTIONS, WARM_SECONDS
from benchmarks.load import Found, Load
from benchmarks.ours import in_file
from benchmarks.server import Server, call, serving
from benchmarks.sizes import Sizes

NAME = "receive"
HOOKS, EVENTS = "webhooks", "POST /events"
RATIO_TARGET, P99_TARGET = 0.8, 100.0
HALF = 0.5
NOTES = (
    "a delivery is signed as Stripe signs, 300 bytes of text in its object, and has an id of its own",
    "its type is declared, so that the item itself is the event: no translation is called",
    "neither its type nor that of the events declares a number, whose bounds would have to be looked at",
    "the last two figures are taken at half of the rate that was reached, over the same connections",
)


async def measure(folder: Path, sizes: Sizes) -> Result:
    found: dict[str, list[Found]] = {HOOKS: [], EVENTS: [], "half": []}
    async with serving("receiving", in_file(folder / "receiving.db")) as server:
        for seed in range(sizes.rounds):
            found[EVENTS].append(await _called(server, sizes, seed=3 * seed, what="events"))
            found[HOOKS].append(await _called(server, sizes, seed=3 * seed + 1, what="hooks"))
            rate = found[HOOKS][-1].rate * HALF
            found["half"].append(await _called(server, sizes, seed=3 * seed + 2, what="hooks", rate=rate))
    hooks, events = _rate(HOOKS, found[HOOKS]), _rate(EVENTS, found[EVENTS])
    p99 = Figure(name="99 % within, at half the rate", unit="ms", rounds=[each.p99 for each in found["half"]])
    p50 = Figure(name="half within, at half the rate", unit="ms", rounds=[each.p50 for each in found["half"]])
    return Result(
        measure=f"POST /hooks, one delivery each, {CONNECTIONS} connections",
        figures=[hooks, events, p50, p99],
        checks=[
            ratio(f"{HOOKS} / {EVENTS}", hooks, events, limit=RATIO_TARGET),
            Check(name=p99.name, rounds=p99.rounds, limit=P99_TARGET, sense="at most", unit="ms"),
        ],
        notes=NOTES,
    )


async def _called(server: Server, sizes: Sizes, *, seed: int, what: str, rate: float | None = None) -> Found:
    found = await call(
        Load(
            port=server.port,
            connections=CONNECTIONS,
            seconds=sizes.calling,
            warm=WARM_SECONDS,
            seed=seed,
            what=what,
            rate=rate,
        )
    )
    expected = {"201"} if what == "events" else {"202"}
    if set(found.statuses) != expected or found.repeated != 200:
        raise RuntimeError(f"{what} was answered {found.statuses}, and a repeat with {found.repeated}")
    return found


def _rate(name: str, found: list[Found]) -> Figure:
    return Figure(name=name, unit="events/s", rounds=[each.rate for each in found])
