"""The demonstration from start to report."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tidings.demo.client import CONNECTIONS, Reader, Sender, Tally
from tidings.demo.comparing import Comparison
from tidings.demo.mail import due_greetings, read_calls
from tidings.demo.parties import Parties
from tidings.demo.patience import Patience
from tidings.demo.plan import Plan, back_dated, late_share
from tidings.demo.reconciled import SCOPE, compare_bounds, compare_deleted, compare_lost, until_proved
from tidings.demo.report import Line, Report
from tidings.demo.rollout import Rollout
from tidings.demo.server import Place, Servers
from tidings.demo.till import CLOCK_ERROR_MAX
from tidings.demo.traffic import Request
from tidings.demo.versions import version_lines
from tidings.errors import OperatorError
from tidings.operations.progress import Progress
from tidings.ports import Ports
from tidings.wording import counted

KILLS = 3
Doors = Mapping[str, str]
"""What can be visited: its name, and its address."""
OnOpen = Callable[[Report, Doors], None]


class Demo:
    """One run: its servers, a plan, a report. `apart`: each of Chirp's services is a process of its own."""

    def __init__(self, plan: Plan, place: Place, ports: Ports, progress: Progress, *, apart: bool = False) -> None:
        self._plan = plan
        self._clock = ports.clock
        self._progress = progress
        self._servers = Servers(place, ports.clock, apart=apart)
        self._parties = Parties(plan, place, ports.clock, self._servers.urls[0])
        self._tally = Tally()
        self._sent = 0
        self._sending = 0.0
        self._told: dict[str, Any] = {}
        self._kills: list[asyncio.Task[None]] = []
        self._sender = Sender(self._servers.urls, ports.clock, self._tally)
        self._rollout = Rollout(self._servers, ports.clock, plan.wish_requests(), self._ask_the_desk)

    @property
    def servers(self) -> Servers:
        """The servers, on which the run can be interfered with."""
        return self._servers

    async def run(self, on_open: OnOpen | None = None) -> Report:
        """Start, send, kill and restart on the way, settle, compare, stop. OperatorError if the server gives up.

        `on_open`: is told the report and what can be visited, which stays open until this is cancelled.
        """
        begun = self._clock.monotonic()
        with _ended_in_order():
            try:
                await self._servers.place.ground.make()
                await self._servers.start()
                await self._parties.open_till()
                await self._rollout.until_payments_are_taken()
                await self._parties.open_partner()
                await self._send()
                await until_proved(self._parties, Reader(self._servers.urls[0]), self._clock, self._progress)
                await self._settle()
                await self._parties.until_all_is_delivered(Reader(self._servers.urls[0]), self._progress)
                self._progress("waiting for the end of a version", 0, 1)
                await self._rollout.retire()
                lines = await self._compare()
                bounds = await self._bounds()
                took = self._clock.monotonic() - begun
                if on_open is not None:
                    on_open(self._report([*lines, bounds], took), await self._servers.open_doors())
                    await asyncio.Event().wait()
            finally:
                for kill in self._kills:
                    kill.cancel()
                await asyncio.gather(*self._kills, return_exceptions=True)
                await self._parties.stop()
                code = await self._servers.stop()
        lines += [Line("shutdown", f"exit code {code} after SIGTERM", code == 0), bounds]
        return self._report(lines, took)

    async def _send(self) -> None:
        sender, begun = self._sender, self._clock.monotonic()
        await self._parties.begin_till()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(sender.send_all(self._plan.requests(), self._count, connections=CONNECTIONS))
                group.create_task(self._rollout.run())
            await asyncio.gather(*self._kills)
            while len(self._kills) < KILLS:  # a short run was over before the last restart was
                self._kill()
                await asyncio.gather(*self._kills)
            await self._parties.until_all_is_told(self._progress)
            await sender.send_all(self._plan.forged_requests(), _uncounted, connections=CONNECTIONS)
        except* OperatorError as group_error:
            raise _first(group_error) from None
        self._sending = self._clock.monotonic() - begun
        self._told = await self._parties.till()

    async def _ask_the_desk(self, wishes: Sequence[Request]) -> None:
        """Send these one after the other, and come back when the desk has decided them."""
        desk = Sender([self._servers.desk], self._clock, self._tally)  # it runs while its readers change
        await desk.send_all(wishes, _uncounted, connections=1)
        await Reader(self._servers.desk).reached("bookmarks", "slot", self._tally.last)

    def _count(self, request: Request) -> None:
        self._sent += len(request.carries)
        total = len(self._plan.arrivals)
        self._progress("sending events by HTTP", self._sent, total)
        due = (len(self._kills) + 1) * total // (KILLS + 1)
        is_through = self._rollout.is_over and (not self._kills or self._kills[-1].done())
        if len(self._kills) < KILLS and self._sent >= due and is_through:
            self._kill()

    def _kill(self) -> None:
        self._kills.append(asyncio.ensure_future(self._servers.kill_and_restart()))

    async def _settle(self) -> None:
        """Wait until no consumer has anything left to do, and all calls to the outside were made."""
        patience, reader = Patience(self._clock), Reader(self._servers.urls[0])
        greetings = due_greetings(self._plan.history).total()
        quiet_at: set[str] = set()
        while True:
            consumers = await reader.consumers()
            behind = sum(consumer["lag"]["entries"] for consumer in consumers)
            missing = max(0, greetings - len(set(read_calls(self._servers.place.mailbox))))
            self._progress("waiting for the views", max(0, self._sent - behind - missing), self._sent)
            # Consumers are asked one after the other, so only the same head twice says that none caused the next one.
            heads = {consumer["head"] for consumer in consumers}
            if not behind and not missing and quiet_at == heads:
                return
            quiet_at = set() if behind or missing else heads
            if patience.ends((heads, behind, missing)):
                if behind:
                    raise OperatorError(f"consumers lag, and do not move: {consumers}")
                return
            await self._clock.sleep(0.1)

    async def _compare(self) -> list[Line]:
        reader = Reader(self._servers.urls[0])
        found = Comparison(self._plan, self._tally, reader, self._servers.place, self._progress)
        repairs, findings = await reader.repairs(), await reader.findings(SCOPE)
        lines = [*await found.lines(self._told), *await self._parties.lines(reader)]
        lines += [compare_lost(self._plan, repairs, findings), compare_deleted(self._plan, repairs)]
        return lines + await version_lines(self._plan, self._rollout.story, self._tally, reader)

    async def _bounds(self) -> Line:
        [found] = await self._servers.place.ask("asof", SCOPE)
        return compare_bounds(found, (await self._parties.till())["changed"])

    def _report(self, lines: list[Line], took: float) -> Report:
        facts = (*self._facts(), ("it took", f"{took:.1f} s"))
        return Report(self._plan.seed, len(self._plan.history), tuple(lines), facts)

    def _facts(self) -> tuple[tuple[str, str], ...]:
        plan, tally, kills = self._plan, self._tally, self._servers.kills
        late, worst = late_share(plan.came)
        requests = sum(tally.answers.values()) + self._told["answered"]
        processes, again = len(self._servers.processes), tally.asked_again + self._told["again"]
        each = "" if processes == 1 else f", {processes} processes at once"
        twice = tally.duplicates + self._told["known"]
        return (
            ("database", self._servers.place.ground.engine),
            (
                "sent",
                f"{counted(len(plan.history), 'event')} of one week, {counted(len(plan.came), 'time')}; "
                f"{counted(len(plan.tellings), 'webhook')} by Till",
            ),
            (
                "requests",
                f"{requests:,} over HTTP: {tally.forms}, {counted(self._told['answered'], 'webhook')}; "
                f"{requests / self._sending:,.0f} a second",
            ),
            ("twice", f"{counted(twice, 'arrival was', 'arrivals were')} known already, and changed nothing"),
            ("late", f"{counted(late, 'arrival')} came after a later event, the latest by {worst / 86_400e6:.1f} days"),
            (
                "back-dated",
                f"{counted(back_dated(plan.history), 'event')} of orders told with a time before that of what came "
                f"first: Till's clock is wrong by up to {CLOCK_ERROR_MAX // 3_600_000_000} h",
            ),
            ("forged", f"{counted(tally.conflicts, 'other event')} under a taken id refused"),
            (
                "kill -9",
                f"{counted(kills, 'time')} in the middle{each}; "
                f"{counted(again, 'request')} without an answer sent again",
            ),
        )


def _uncounted(request: Request) -> None:
    """Count nothing."""


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


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
