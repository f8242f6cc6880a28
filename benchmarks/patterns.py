"""A thousand patterns asked of each event, as where a thousand endpoints choose what they are told."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Check, Figure, Result
from benchmarks.rounds import Stopwatch
from benchmarks.sizes import Sizes
from tidings.events.patterns.grammar import compile_pattern
from tidings.events.patterns.pattern_set import PatternSet

NAME = "patterns"
PATTERNS, EVENTS = 1_000, 10_000
AT_LEAST = 50_000.0


def drawn(draw: random.Random, n: int) -> dict[str, Any]:
    """Return one endpoint's pattern: a type of its own, a shop, amounts above or below something, a prefix."""
    data: dict[str, Any] = {"shop": [f"shop-{n}"]}
    if n % 3 == 0:
        data["cents"] = [{"numeric": [">=", draw.randrange(10_000)]}]
    if n % 5 == 0:
        data["item"] = [{"prefix": draw.choice("abcdefgh")}]
    return {"type": [f"order-{n % 20}", "order-paid"], "data": data}


def event(draw: random.Random, n: int) -> dict[str, Any]:
    """Return an event that some of them want, as a document."""
    data = {
        "shop": f"shop-{draw.randrange(PATTERNS * 2)}",
        "cents": draw.randrange(10_000),
        "item": draw.choice("abcd"),
    }
    return {"id": f"e{n}", "source": "/till", "type": f"order-{n % 20}", "subject": f"o-{n}", "data": data}


async def measure(folder: Path, sizes: Sizes) -> Result:
    draw = random.Random(1)
    patterns: Mapping[int, Any] = {n: compile_pattern(drawn(draw, n)) for n in range(PATTERNS)}
    asked, events = PatternSet(patterns), [event(draw, n) for n in range(EVENTS)]
    rates, one = [], []
    for _ in range(sizes.rounds):
        watch = Stopwatch()
        with watch:
            matched = sum(len(asked.matching(each)) for each in events)
        if not matched:
            raise RuntimeError("no pattern matched anything")
        rates.append(EVENTS / watch.used)
        watch = Stopwatch()
        with watch:
            for each in events[: EVENTS // 100]:
                for pattern in patterns.values():
                    pattern.matches(each)
        one.append(EVENTS / 100 / watch.used)
    rate = Figure(name=f"PatternSet of {PATTERNS:,}", unit="events a second of CPU", rounds=rates)
    return Result(
        measure=f"{PATTERNS:,} patterns asked of each event",
        figures=[rate, Figure(name="one pattern after the other", unit="events a second of CPU", rounds=one)],
        checks=[Check(name=rate.name, rounds=rates, limit=AT_LEAST, unit="events a second of CPU")],
        notes=["of parsed documents; the processor's time of one process"],
    )
