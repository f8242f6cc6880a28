"""Till and Partner beside Chirp: begun, asked what they counted, and compared with what Chirp says."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

import aiohttp

from tidings.demo.client import RECONCILE, Reader, Repair
from tidings.demo.partner_server import SHARES
from tidings.demo.patience import Patience
from tidings.demo.plan import Plan
from tidings.demo.report import Line
from tidings.demo.server import Place, Server
from tidings.demo.standard import message_id, secret_of
from tidings.demo.telling import TILL
from tidings.errors import OperatorError
from tidings.operations.progress import Progress
from tidings.ports import Clock
from tidings.wording import counted

GOOD, OLD = "partner", "old"
PATTERN = {"type": [f"order-{state}" for state in ("placed", "paid", "shipped", "refunded", "cancelled")]}
"""Names, and no prefix: so it is known that no bookmark is ever sent there, whose first version may end."""
CONFIGURED_WITHIN = 30.0
BAD = {way for way, _ in SHARES} - {"slowly", "endlessly"}


class Parties:
    """The two processes. `chirp`: the URL of the server that Till tells, and that sends to Partner."""

    def __init__(self, plan: Plan, place: Place, clock: Clock, chirp: str) -> None:
        self._plan = plan
        self._chirp = chirp
        self._clock = clock
        drawn = ("--seed", str(plan.seed), "--events", str(len(plan.history)), "--lost", str(plan.share_lost))
        self._till = Server(place, clock, "tidings.demo.till_server", "--to", f"{chirp}/hooks/till", *drawn)
        place.till = self._till.url
        self._partner = Server(place, clock, "tidings.demo.partner_server")
        place.partner = self._partner.url

    async def open_partner(self) -> None:
        """Start Partner, and have Chirp send it all that happens to orders, by two endpoints."""
        self._partner.begin()
        await self._partner.be_ready("/report")
        async with aiohttp.ClientSession() as session:
            for endpoint in (GOOD, OLD):
                secret = secret_of(secrets.token_bytes(32))
                await session.put(f"{self._partner.url}/secrets/{endpoint}", json={"secret": secret})
                await self._configure(session, endpoint, self._configured(endpoint, secret))

    async def _configure(self, session: aiohttp.ClientSession, endpoint: str, members: dict[str, Any]) -> None:
        """Make an endpoint; a 503 is tried again, as any good client does. OperatorError for any other no."""
        url, deadline = f"{self._chirp}/endpoints/{endpoint}", self._clock.monotonic() + CONFIGURED_WITHIN
        while True:
            async with session.put(url, json=members, headers={"if-none-match": "*"}) as answer:
                said = await answer.text()
            if answer.status in (201, 412):  # 412: it was made by a request whose answer was lost
                return
            if answer.status != 503 or self._clock.monotonic() > deadline:
                raise OperatorError(f"PUT /endpoints/{endpoint} answered {answer.status}: {said[:300]}")
            await self._clock.sleep(0.2)

    def _configured(self, endpoint: str, secret: str) -> dict[str, Any]:
        url = f"{self._partner.url}/hooks/{endpoint}"
        return {"url": url, "pattern": PATTERN, "ordering": "key", "slots": 16, "secret": secret}

    async def open_till(self) -> None:
        """Start Till, where nothing has happened yet."""
        self._till.begin()
        await self._till.be_ready("/report")

    async def begin_till(self) -> None:
        """Have things happen at Till, and Till tell of them."""
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            await session.post(f"{self._till.url}/tell")

    async def till(self) -> dict[str, Any]:
        """Ask Till what it counted so far."""
        return await _asked(self._till)

    async def until_all_is_told(self, progress: Progress) -> None:
        """Wait until Till has an answer to each of its webhooks. OperatorError if it ended before."""
        while True:
            said = await self.till()
            progress("taking Till's webhooks", said["answered"], said["total"])
            if said["answered"] == said["total"] and said["over"]:
                return
            await self._clock.sleep(0.1)

    async def until_all_is_delivered(self, reader: Reader, progress: Progress) -> None:
        """Wait until nothing is left to be sent to Partner's endpoints, once more included, since Partner forgets some;
        give up if none of it becomes less."""
        patience, total = Patience(self._clock), len(self._due(await reader.repairs()))
        while True:
            pending = await reader.pending(GOOD), await reader.pending(OLD)
            lost = (await _asked(self._partner))["lost"]
            progress("delivering to Partner", max(0, total - pending[0] - len(lost)), total)
            left = (*pending, len(lost))
            if patience.ends(left) or (not any(left) and await self._is_delivered(reader)):
                return
            await self._clock.sleep(0.2)

    async def _is_delivered(self, reader: Reader) -> bool:
        due = self._due(await reader.repairs())
        good, old = await reader.deliveries(GOOD), await reader.deliveries(OLD)
        return good["delivered"] >= len(due) and is_closed(due, old)

    async def lines(self, reader: Reader) -> list[Line]:
        """Compare what Till, Partner and Chirp say of the same webhooks."""
        said, due = await _asked(self._partner), self._due(await reader.repairs())
        return [
            compare_till(self._plan, await self.till()),
            compare_partner(due, said, await reader.deliveries(GOOD)),
            compare_old(due, said, await reader.deliveries(OLD)),
        ]

    def _due(self, repairs: Sequence[Repair]) -> set[str]:
        """Return the ids under which Partner must get what happened to orders, whoever told of it."""
        told = {message_id(TILL, each.id) for each in self._plan.told if each.source == TILL}
        return told | {message_id(RECONCILE, each.id) for each in repairs if each.type in PATTERN["type"]}

    async def stop(self) -> None:
        """End both."""
        await self._till.stop()
        await self._partner.stop()


async def _asked(party: Server) -> dict[str, Any]:
    async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(f"{party.url}/report") as answer:
        said: dict[str, Any] = await answer.json()
        return said


def compare_till(plan: Plan, said: dict[str, Any]) -> Line:
    """Every webhook of Till's was taken, once; what was not Till's was refused."""
    told = {telling.id for telling in plan.tellings if telling.kind == "true"}
    false = [telling for telling in plan.tellings if telling.kind != "true"]
    refused = sum(said["refused"].values())
    found = (
        f"{len(told & set(said['taken'])):,} of {len(told):,} of Till's webhooks taken, "
        f"{counted(said['known'], 'repeat')} known"
    )
    found += f"; {refused:,} of {len(false):,} forged, altered or stale ones refused"
    wrong = [*said["unexpected"], *sorted(told - set(said["taken"]))[:3]]
    # Of a webhook whose answer was lost Till only hears that it is known.
    is_right = not wrong and said["new"] <= len(told) and refused == len(false)
    return Line("webhooks in", found, is_right, "; ".join(wrong), f"{counted(said['known'] + refused, 'event')} more")


def compare_partner(due: set[str], said: dict[str, Any], states: Counter[str]) -> Line:
    """Every event reached Partner, under its one id and in the order of its subject, and Chirp knows of each."""
    taken: dict[str, int] = said["taken"].get(GOOD, {})
    missing, surplus = due - taken.keys(), taken.keys() - due
    repeats = sum(taken.values()) - len(taken)
    found = f"{len(due) - len(missing):,} of {counted(len(due), 'event')} taken by Partner; attempts it took badly: "
    found += f"{sum(times for way, times in said['ways'].items() if way in BAD):,}; taken twice: {repeats:,}"
    forgotten = counted(len(said["forgotten"]), "event")
    found += f"; {forgotten} answered with 200 and then forgotten, all but {len(said['lost']):,} found and sent again"
    wrong = [
        f"{name}: {each}" for name, each in (("missing", sorted(missing)[:3]), ("surplus", sorted(surplus)[:3])) if each
    ]
    wrong += [f"forgotten: {', '.join(said['lost'][:3])}"] if said["lost"] else []
    wrong += [f"not signed: {said['forged']}"] if said["forged"] else []
    wrong += [f"redirects followed: {said['followed']}"] if said["followed"] else []
    wrong += [f"out of order: {', '.join(said['backwards'][:3])}"] if said["backwards"] else []
    wrong += [] if states == Counter(delivered=len(due)) else [f"Chirp says {dict(states)}"]
    return Line("webhooks out", found, not wrong, "; ".join(wrong), f"{forgotten} less at Partner")


def is_closed(due: set[str], states: Counter[str]) -> bool:
    """Say whether every delivery to an endpoint that is gone has come to its end."""
    return states.keys() <= {"delivered", "dead", "held"} and states.total() == len(due)


def compare_old(due: set[str], said: dict[str, Any], states: Counter[str]) -> Line:
    """An endpoint that is gone is told no more, and every delivery to it is accounted for."""
    taken, gone = len(said["taken"].get(OLD, {})), said["ways"].get("gone", 0)
    found = f"gone after {taken:,}: {states['delivered']:,} delivered, {states['dead']:,} dead, {states['held']:,} held"
    # What was taken and whose answer was lost is sent again, and then the endpoint is gone.
    is_whole = is_closed(due, states) and states["delivered"] <= taken
    return Line("old endpoint", found, is_whole and gone > 0, f"Chirp says {dict(states)} of {len(due)}")
