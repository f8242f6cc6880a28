"""Operational events about receivers: who is silent, who is mostly refused, whose provider contradicts itself.

Their ids follow from what they say, so that of many processes that see the same, one is heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from tidings.errors import ConflictError, LogUnavailableError, StoreUnavailableError
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.events.media import JSON
from tidings.events.timestamp import time_text
from tidings.log.log import Log
from tidings.ports import Clock
from tidings.store.driver import StoreDriver
from tidings.webhooks.intake.roster import Roster

SOURCE = "tidings"
LOOK_SECONDS = 10.0
REJECTED_SHARE = 0.5
REJECTED_MIN = 10
WINDOW_US = 300_000_000
HOUR_US = 3_600_000_000
_log = logging.getLogger("tidings.receivers")


def alarm(type: str, receiver: str, at: int, name: str, **data: Any) -> Envelope:
    """Return an operational event about a receiver. `at`: when it began, µs since 1970; `name`: which one it is."""
    return Envelope(
        id=f"{type}:{receiver}:{name}",
        source=SOURCE,
        type=type,
        subject=receiver,
        time=time_text(at),
        attributes={"datacontenttype": JSON},
        data=encode_json({"receiver": receiver, **data}),
    )


OnOverdue = Callable[[Mapping[str, float]], None]
"""Is told at each look how many seconds each receiver that expects something has waited beyond that."""


def _nobody(seconds: Mapping[str, float]) -> None:
    return None


class Tally:
    """How many requests of one receiver were refused by its verifier, of how many, in the last minutes."""

    __slots__ = ("began", "refused", "total")

    def __init__(self, now: int) -> None:
        self.began, self.refused, self.total = now, 0, 0

    def is_rejecting(self) -> bool:
        return self.refused >= REJECTED_MIN and self.refused >= REJECTED_SHARE * self.total


class Alarms:
    """Looks every `LOOK_SECONDS` who is silent for longer than it said, and tells of what else it is told.

    `on_overdue` is told what each look found.
    """

    name = "receivers"

    def __init__(
        self, roster: Roster, store: StoreDriver, log: Log, clock: Clock, *, on_overdue: OnOverdue = _nobody
    ) -> None:
        self._roster = roster
        self._store = store
        self._log = log
        self._clock = clock
        self._on_overdue = on_overdue
        self.begun = clock.now_us()
        self._tallies: dict[str, Tally] = {}
        self._due: dict[str, Envelope] = {}

    def verified(self, receiver: str, *, accepted: bool, now: int) -> None:
        """Be told of a verdict. `now`: µs since 1970."""
        tally = self._tallies.get(receiver)
        if tally is None or now - tally.began > WINDOW_US:
            tally = self._tallies[receiver] = Tally(now)
        tally.total += 1
        if accepted:
            return
        tally.refused += 1
        if tally.is_rejecting():
            hour = now - now % HOUR_US
            self._tell(alarm("receiver.rejecting", receiver, hour, time_text(hour)))

    def conflicted(self, receiver: str, n: int) -> None:
        """Be told of a receipt with other content under an id that was there."""
        self._tell(alarm("receiver.conflict", receiver, self._clock.now_us(), str(n), receipt=n))

    def _tell(self, envelope: Envelope) -> None:
        self._due.setdefault(envelope.id, envelope)

    async def run(self, stopping: asyncio.Event) -> None:
        """See `tidings.app.crew.Runner`."""
        while not stopping.is_set():
            await self.look()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
        await self.look()

    async def look(self) -> None:
        """Append what there is to be told; what cannot be kept now is told later."""
        try:
            for envelope in (*self._due.values(), *await self._silent()):
                await self._append(envelope)
                self._due.pop(envelope.id, None)
        except (LogUnavailableError, StoreUnavailableError) as error:
            _log.warning("what is to be told of receivers cannot be kept now: %s", error)

    async def _append(self, envelope: Envelope) -> None:
        try:
            receipt = await self._log.append((envelope,))
        except ConflictError:  # another process told it in other words
            return
        if receipt.outcome == "appended":
            _log.warning("%s: %s", envelope.type, envelope.subject)

    async def _silent(self) -> list[Envelope]:
        receivers = [receiver for receiver in await self._roster.all() if not receiver.is_retired]
        expecting = {each.id: each.expected_us for each in receivers if each.expected_us is not None}
        if not expecting:
            self._on_overdue({})
            return []
        last: Mapping[str, int] = await self._store.last_received([*expecting])
        now = self._clock.now_us()
        made = {each.id: self.begun if each.created is None else each.created for each in receivers}
        found = []
        overdue: dict[str, float] = {}
        for receiver, every in expecting.items():
            since = last.get(receiver)
            begun = made[receiver] if since is None else since
            overdue[receiver] = max(0, now - begun - every) / 1_000_000
            if now - begun > every:
                told = None if since is None else time_text(since)
                said = {"since": told, "expected_every_s": every / 1_000_000}
                found.append(alarm("receiver.silent", receiver, begun + every, told or "never", **said))
        self._on_overdue(overdue)
        return found
