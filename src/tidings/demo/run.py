"""The demonstration from start to report."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tidings.demo.client import Reader, Sender, Tally
from tidings.demo.history import Happening, write_history
from tidings.demo.report import Line, Report, compare_log, compare_view
from tidings.demo.server import Server
from tidings.demo.traffic import Request, arrange, put, requests
from tidings.demo.truth import tell
from tidings.errors import OperatorError
from tidings.operations.progress import Progress
from tidings.ports import Ports

KILLS = 2
WEEK_ENDS = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in µs: the same for every run, so that a seed says everything."""
SETTLE_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that follows from the seed: what truly happens, how it arrives, what is forged."""

    seed: int
    history: list[Happening]
    arrivals: list[Happening]
    forged: list[Happening]

    @classmethod
    def draw(cls, seed: int, *, events: int) -> Plan:
        random = Random(seed)  # noqa: S311 - a replayable draw is the point
        history = write_history(random, events=events, now=WEEK_ENDS)
        arrivals, forged = arrange(random, history)
        return cls(seed, history, arrivals, forged)

    def requests(self) -> list[Request]:
        return list(requests(Random(self.seed + 1), self.arrivals))  # noqa: S311 - as above


class Demo:
    """One run: a server, a plan, a report."""

    def __init__(self, plan: Plan, folder: Path, ports: Ports, progress: Progress) -> None:
        self._plan = plan
        self._ports = ports
        self._progress = progress
        self._server = Server(folder, ports.clock)
        self._tally = Tally()
        self._sent = 0
        self._kills: list[asyncio.Task[None]] = []

    async def run(self) -> Report:
        """Start, send, kill and restart on the way, settle, compare, stop."""
        await self._server.start()
        try:
            await self._send()
            head = await self._settle()
            lines = await self._compare()
        finally:
            code = await self._server.stop()
        lines.append(Line("shutdown", f"exit code {code} after SIGTERM", code == 0))
        return Report(self._plan.seed, tuple(lines), self._facts(head))

    async def _send(self) -> None:
        sender = Sender(self._server.url, self._ports.clock, self._tally)
        await sender.send_all(iter(self._plan.requests()), self._count)
        await asyncio.gather(*self._kills)
        await sender.send_all((put(forged, expects="conflict") for forged in self._plan.forged), lambda _: None)

    def _count(self, events: int) -> None:
        self._sent += events
        total = len(self._plan.arrivals)
        self._progress("sending events by HTTP", self._sent, total)
        # The next kill waits until the last restart is through: the request count goes on only then anyway.
        due = (len(self._kills) + 1) * total // (KILLS + 1)
        if len(self._kills) < KILLS and self._sent >= due:
            self._kills.append(asyncio.ensure_future(self._server.kill_and_restart()))

    async def _settle(self) -> int:
        """Wait until no consumer has anything left to do; return the log's head."""
        deadline = self._ports.clock.monotonic() + SETTLE_WITHIN
        while True:
            consumers = await self._server.ask("consumers")
            behind = sum(consumer["lag_entries"] for consumer in consumers)
            self._progress("waiting for the views", max(0, len(self._plan.history) - behind), len(self._plan.history))
            if behind == 0:
                return int(max(consumer["head"] for consumer in consumers))
            if self._ports.clock.monotonic() > deadline:
                raise OperatorError(f"after {SETTLE_WITHIN:.0f} s consumers still lag: {consumers}")
            await self._ports.clock.sleep(0.1)

    async def _compare(self) -> list[Line]:
        reader = Reader(self._server.url)
        truth = tell(self._plan.history)
        lines = [compare_log(self._tally.acknowledged, await reader.identities()), self._answers()]
        for place, (view, rows) in enumerate(truth.items()):
            self._progress("comparing every view with the truth", place, len(truth))
            lines.append(compare_view(view, rows, await reader.rows(view, rows)))
        lines.append(await self._verified())
        lines.append(await self._nothing_parked())
        self._progress("comparing every view with the truth", len(truth), len(truth))
        return lines

    def _answers(self) -> Line:
        wrong = self._tally.unexpected
        total = sum(self._tally.answers.values())
        return Line("answers", f"{total - len(wrong):,} of {total:,} as promised", not wrong, "; ".join(wrong[:3]))

    async def _verified(self) -> Line:
        found = await self._server.ask("views", "verify")
        wrong = [view["view"] for view in found if not view["equal"]]
        return Line(
            "refold",
            f"{len(found) - len(wrong)} of {len(found)} views equal a refold of the log",
            not wrong,
            ", ".join(wrong),
        )

    async def _nothing_parked(self) -> Line:
        parked = await self._server.ask("dead", "list")
        return Line("dead letters", f"{len(parked)} subjects parked", not parked)

    def _lateness(self) -> str:
        late, worst = late_share(self._plan.arrivals)
        return f"{late:,} arrivals came after a later event, the latest by {worst / 86_400e6:.1f} days"

    def _facts(self, head: int) -> tuple[tuple[str, str], ...]:
        answers = self._tally.answers
        return (
            ("events", f"{len(self._plan.history):,}, sent {len(self._plan.arrivals):,} times"),
            (
                "requests",
                f"{sum(answers.values()):,}, asked again {self._tally.repeated:,} times while the server was away",
            ),
            ("out of order", self._lateness()),
            ("duplicates absorbed", f"{len(self._plan.arrivals) - len(self._plan.history):,}"),
            ("taken ids refused", f"{answers['PUT 409']:,} with 409"),
            ("kill -9", f"{self._server.kills} times while events were coming in"),
            ("log", f"head at position {head:,}"),
        )


def late_share(arrivals: list[Happening]) -> tuple[int, int]:
    """Return how many arrivals came after an event with a later time, and by how many µs the latest one did."""
    late, worst, newest = 0, 0, 0
    for happening in arrivals:
        if happening.at < newest:
            late += 1
            worst = max(worst, newest - happening.at)
        newest = max(newest, happening.at)
    return late, worst
