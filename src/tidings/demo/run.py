"""The demonstration from start to report."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tidings.demo.client import Reader, Sender, Tally
from tidings.demo.history import Happening, write_history
from tidings.demo.mail import compare_mail, due_greetings, read_calls
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
        self._clock = ports.clock
        self._progress = progress
        self._server = Server(folder, ports.clock)
        self._tally = Tally()
        self._sent = 0
        self._kills: list[asyncio.Task[None]] = []

    @property
    def server(self) -> Server:
        """The server, on which the run can be interfered with."""
        return self._server

    async def run(self) -> Report:
        """Start, send, kill and restart on the way, settle, compare, stop. OperatorError if the server gives up."""
        begun = self._clock.monotonic()
        with _ended_in_order():
            try:
                await self._server.start()
                await self._send()
                await self._settle()
                lines = await self._compare()
            finally:
                for kill in self._kills:
                    kill.cancel()
                await asyncio.gather(*self._kills, return_exceptions=True)
                code = await self._server.stop()
        lines.append(Line("shutdown", f"exit code {code} after SIGTERM", code == 0))
        facts = (*self._facts(), ("it took", f"{self._clock.monotonic() - begun:.1f} s"))
        return Report(self._plan.seed, len(self._plan.history), tuple(lines), facts)

    async def _send(self) -> None:
        sender = Sender(self._server.url, self._clock, self._tally)
        try:
            await sender.send_all(iter(self._plan.requests()), self._count)
            await asyncio.gather(*self._kills)
            await sender.send_all((put(forged, expects="conflict") for forged in self._plan.forged), lambda _: None)
        except* OperatorError as group:
            raise group.exceptions[0] from None

    def _count(self, events: int) -> None:
        self._sent += events
        total = len(self._plan.arrivals)
        self._progress("sending events by HTTP", self._sent, total)
        # The next kill waits until the last restart is through: the request count goes on only then anyway.
        due = (len(self._kills) + 1) * total // (KILLS + 1)
        if len(self._kills) < KILLS and self._sent >= due:
            self._kills.append(asyncio.ensure_future(self._server.kill_and_restart()))

    async def _settle(self) -> None:
        """Wait until no consumer has anything left to do, and all calls to the outside were made."""
        deadline = self._clock.monotonic() + SETTLE_WITHIN
        greetings = due_greetings(self._plan.history).total()
        quiet_at = None
        while True:
            consumers = await self._server.ask("consumers")
            behind = sum(consumer["lag_entries"] for consumer in consumers)
            missing = max(0, greetings - len(set(read_calls(self._server.mailbox))))
            self._progress("waiting for the views", max(0, self._sent - behind - missing), self._sent)
            # Consumers are asked one after the other, so only the same head twice says that none caused the next one.
            head = max((consumer["head"] for consumer in consumers), default=0)
            if not behind and not missing and quiet_at == head:
                return
            quiet_at = None if behind or missing else head
            if self._clock.monotonic() > deadline:
                if behind:
                    raise OperatorError(f"after {SETTLE_WITHIN:.0f} s consumers still lag: {consumers}")
                return
            await self._clock.sleep(0.1)

    async def _compare(self) -> list[Line]:
        reader = Reader(self._server.url)
        truth = tell(self._plan.history)
        lines = [compare_log(self._tally.positions, await reader.identities()), self._answers()]
        for place, (view, rows) in enumerate(truth.items()):
            self._progress("comparing every view with the truth", place, len(truth))
            lines.append(compare_view(view, rows, await reader.rows(view, rows)))
        self._progress("comparing every view with a refold", len(truth), len(truth))
        lines.append(await self._verified())
        lines.append(compare_mail(due_greetings(self._plan.history), read_calls(self._server.mailbox)))
        lines.append(await self._nothing_parked())
        return lines

    def _answers(self) -> Line:
        wrong = self._tally.unexpected
        total = sum(self._tally.answers.values())
        return Line("answers", f"{total - len(wrong):,} of {total:,} as promised", not wrong, "; ".join(wrong[:3]))

    async def _verified(self) -> Line:
        found = await self._server.ask("views", "verify")
        wrong = [view["view"] for view in found if not view["equal"]]
        right = f"{len(found) - len(wrong)} of {len(found)} tables equal a refold of the log"
        return Line("refold", right, bool(found) and not wrong, ", ".join(wrong))

    async def _nothing_parked(self) -> Line:
        parked = await self._server.ask("dead", "list")
        first = "; ".join(f"{each['consumer']} {each['subject']}: {each['error']}" for each in parked[:3])
        return Line("dead letters", f"{len(parked)} subjects parked", not parked, first)

    def _facts(self) -> tuple[tuple[str, str], ...]:
        plan, tally = self._plan, self._tally
        late, worst = late_share(plan.arrivals)
        return (
            ("sent", f"{len(plan.history):,} events of one week, {len(plan.arrivals):,} times"),
            ("twice", f"{tally.duplicates:,} arrivals were known already, and changed nothing"),
            ("late", f"{late:,} arrivals came after a later event, the latest by {worst / 86_400e6:.1f} days"),
            ("forged", f"{tally.answers['PUT 409']:,} other events under a taken id were refused"),
            (
                "kill -9",
                f"{self._server.kills} times in the middle; {tally.asked_again:,} requests without an answer were "
                "sent again",
            ),
        )


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Have what ends a process cancel the running task, so that the server does not outlive the demonstration."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    # Under `nohup` the end of the terminal is ignored, and stays so.
    heeded = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    for each in heeded:
        with suppress(ValueError, RuntimeError):
            loop.add_signal_handler(each, task.cancel)
    try:
        yield
    finally:
        for each in heeded:
            with suppress(ValueError, RuntimeError):
                loop.remove_signal_handler(each)


def late_share(arrivals: list[Happening]) -> tuple[int, int]:
    """Return how many arrivals came after an event with a later time, and by how many µs the latest one did."""
    late, worst, newest = 0, 0, 0
    for happening in arrivals:
        if happening.at < newest:
            late += 1
            worst = max(worst, newest - happening.at)
        newest = max(newest, happening.at)
    return late, worst
