"""The sender: keeps a number of requests on their way and asks again until each is answered."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
from yarl import URL

from tidings.demo.traffic import Request
from tidings.demo.truth import KEYS, Rows, View
from tidings.errors import OperatorError
from tidings.ports import Clock

CONNECTIONS = 32
GIVE_UP_AFTER = 60.0
PAUSE, PAUSE_MAX = 0.05, 0.8
PAGE = 1000
RECONCILE = "/tidings/reconcile"
"""The source of what Chirp found by itself."""


class Repair(NamedTuple):
    """An event by which Chirp put itself right."""

    id: str
    type: str
    subject: str


@dataclass(slots=True)
class Tally:
    """What was answered.

    `positions`: where each event that was answered with 2xx stands; `appended`: those of which an answer said that they
    were new; `duplicates`: how many answers gave a position that was known; `asked_again`: requests without an answer;
    `told_anew`: those that were refused since their version had ended, and told in another; `unexpected`: answers that
    should not be. `last`: the position that was answered last.
    """

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    asked_again: int = 0
    positions: dict[tuple[str, str], str] = field(default_factory=dict)
    appended: set[tuple[str, str]] = field(default_factory=set)
    duplicates: int = 0
    told_anew: int = 0
    last: str = ""
    unexpected: list[str] = field(default_factory=list)

    @property
    def forms(self) -> str:
        """How many requests of each form were answered."""
        forms: Counter[str] = Counter()
        for (form, _), times in self.answers.items():
            forms[form] += times
        return ", ".join(f"{times:,} {form}" for form, times in forms.most_common())

    @property
    def conflicts(self) -> int:
        """How many were refused, because the id is taken by other content."""
        return sum(times for (_, status), times in self.answers.items() if status == 409)


class Sender:
    """Sends requests to the server's URL; a refused connection or a 503 is tried again, as any good client does."""

    def __init__(self, urls: Sequence[str], clock: Clock, tally: Tally) -> None:
        self._urls = urls
        self._clock = clock
        self._version = 1
        self.tally = tally

    async def send_all(
        self, requests: Iterable[Request], progress: Callable[[Request], None], *, connections: int
    ) -> None:
        """Send every request, so many at a time, each on a connection that is kept; tell `progress` of each one."""
        waiting = iter(requests)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
            for place in range(connections):
                url = self._urls[place % len(self._urls)]
                group.create_task(self._work(session, url, waiting, progress))

    async def _work(
        self,
        session: aiohttp.ClientSession,
        url: str,
        requests: Iterator[Request],
        progress: Callable[[Request], None],
    ) -> None:
        for request in requests:
            status, text = await self._told(session, url, request)
            self._note(request, status, text)
            progress(request)

    async def _told(self, session: aiohttp.ClientSession, url: str, request: Request) -> tuple[int, str]:
        """Ask until there is an answer; if the version that is told has ended, tell the newest that is taken."""
        if request.told_in is None:
            return await self._until_answered(session, url, request)
        while True:
            status, text = await self._until_answered(session, url, request.told_in(self._version))
            if status not in (409, 410) or not (accepted := json.loads(text).get("accepted")):
                return status, text
            self.tally.told_anew += 1
            self._version = max(accepted)

    async def _until_answered(self, session: aiohttp.ClientSession, url: str, request: Request) -> tuple[int, str]:
        deadline = self._clock.monotonic() + GIVE_UP_AFTER
        asked = 0
        while True:
            asked += 1
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                status, text = await _answer(session, url, request)
                if status != 503:
                    return status, text
            self.tally.asked_again += asked == 1
            if self._clock.monotonic() > deadline:
                raise OperatorError(f"no answer to {request.method} {request.path} within {GIVE_UP_AFTER:.0f} s")
            await self._clock.sleep(min(PAUSE * 2**asked, PAUSE_MAX))

    def _note(self, request: Request, status: int, text: str) -> None:
        tally = self.tally
        tally.answers[request.form, status] += 1
        if request.expects == "conflict":
            expected = status == 409
        else:
            expected = status in (200, 201)
            if expected:
                self._note_positions(request, json.loads(text))
        if not expected:
            tally.unexpected.append(f"{request.method} {request.path} -> {status} {text[:300]}")

    def _note_positions(self, request: Request, said: dict[str, Any]) -> None:
        tally = self.tally
        for identity, result in zip(request.carries, said.get("results", [said]), strict=True):
            tally.duplicates += identity in tally.positions
            tally.last = result["position"]
            if result["outcome"] == "appended":  # its answer may come after that of a repeat, by another process
                if identity in tally.appended:
                    tally.unexpected.append(f"{request.method} {request.path} -> {identity} was appended a second time")
                tally.appended.add(identity)
            if tally.positions.setdefault(identity, result["position"]) != result["position"]:
                tally.unexpected.append(f"{request.method} {request.path} -> {identity} stands at two positions")


class Reader:
    """Reads everything back by HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def identities(self) -> Counter[tuple[str, str]]:
        """Return how often each (source, id) stands in the log, from its first entry to its last."""
        return Counter([(event["source"], event["id"]) async for event in self._events("")])

    async def causes(self, type: str) -> Counter[str]:
        """Return how often each event is the cause of one of this type."""
        return Counter([event["causationid"] async for event in self._events(f"&type={type}")])

    async def versions(self, type: str) -> list[tuple[int, str | None]]:
        """Return of each event of a type the version that it was written in, and its cause."""
        return [
            (event.get("dataversion", 1), event.get("causationid")) async for event in self._events(f"&type={type}")
        ]

    async def consumers(self) -> list[dict[str, Any]]:
        """Return how far each consumer is."""
        async with aiohttp.ClientSession() as session:
            found: list[dict[str, Any]] = (await self._get(session, "/consumers"))["consumers"]
            return found

    async def repairs(self) -> list[Repair]:
        """Return what was found by reconciliation, in its order."""
        chosen = f"&source={quote(RECONCILE, safe='')}"
        return [Repair(event["id"], event["type"], event["subject"]) async for event in self._events(chosen)]

    async def asof(self, scope: str) -> Mapping[str, Any]:
        """Return how far a copy is proved right."""
        async with aiohttp.ClientSession() as session:
            found: Mapping[str, Any] = await self._get(session, f"/asof/{scope}")
            return found

    async def findings(self, scope: str) -> Mapping[str, Any]:
        """Return all that runs of a scope have found and repaired, by its id."""
        found: dict[str, Any] = {}
        async with aiohttp.ClientSession() as session:
            async for run in self._pages(session, f"/reconciliations?scope={scope}&limit={PAGE}", "reconciliations"):
                path = f"/reconciliations/{run['id']}?limit={PAGE}"
                its = [each async for each in self._pages(session, path, "findings")] if run["appended"] else []
                found |= {each["id"]: each for each in its}
        return found

    async def _pages(self, session: aiohttp.ClientSession, path: str, member: str) -> AsyncIterator[Any]:
        after = ""
        while True:
            page = await self._get(session, path + after)
            for each in page[member]:
                yield each
            if not page["next"]:
                return
            after = f"&after={quote(page['next'], safe='')}"

    async def deliveries(self, endpoint: str) -> Counter[str]:
        """Return how many deliveries to an endpoint there are in each state, without those of a replay."""
        states: Counter[str] = Counter()
        after = ""
        async with aiohttp.ClientSession() as session:
            while True:
                page = await self._get(session, f"/deliveries?endpoint={endpoint}&limit={PAGE}{after}")
                first = [each for each in page["deliveries"] if each["key"] == f"{endpoint}:{each['position']}"]
                states.update(each["state"] for each in first)
                if not page["next"] or not page["deliveries"]:
                    return states
                after = f"&after={quote(page['next'], safe='')}"

    async def pending(self, endpoint: str) -> int:
        """Return how many deliveries wait to be sent to an endpoint; beyond 10,000 are not counted."""
        async with aiohttp.ClientSession() as session:
            return int((await self._get(session, f"/endpoints/{endpoint}"))["pending"])

    async def _events(self, where: str) -> AsyncIterator[Any]:
        after = ""
        async with aiohttp.ClientSession() as session:
            while True:
                page = await self._get(session, f"/events?limit={PAGE}{where}{after}")
                for entry in page["entries"]:
                    yield entry["event"]
                if not page["entries"]:
                    return
                after = f"&after={page['next']}"

    async def reached(self, service: str, view: str, position: str) -> None:
        """Wait until a view stands at a position. OperatorError if it does not come there in a while."""
        asked = {"tidings-min-position": position, "prefer": "wait=10"}
        url, status, said = f"{self._url}/views/{service}/{view}?limit=1", 0, ""
        async with aiohttp.ClientSession(headers=asked) as session:
            for _ in range(6):
                async with session.get(url) as answer:
                    status, said = answer.status, await answer.text()
                if status == 200:
                    return
        raise OperatorError(f"{service}.{view} does not come to {position}: {status} {said[:300]}")

    async def rows(self, view: View, wanted: Rows) -> Rows:
        """Return a view's rows; those of a live view, which has no list, by the wanted keys."""
        async with aiohttp.ClientSession() as session:
            if view == ("lists", "name"):
                return await self._by_key(session, view, wanted)
            return await self._by_page(session, view, KEYS[view])

    async def table(self, service: str, name: str, *, key: tuple[str, ...]) -> Rows:
        """Return the rows of a view that no truth is known of."""
        async with aiohttp.ClientSession() as session:
            return await self._by_page(session, (service, name), key)

    async def _by_key(self, session: aiohttp.ClientSession, view: View, wanted: Rows) -> Rows:
        rows: Rows = {}
        for key in wanted:
            path = "/".join(quote(part, safe="") for part in (*view, *key))
            row = await self._get(session, f"/views/{path}")
            rows[key] = row["row"]
        return rows

    async def _by_page(self, session: aiohttp.ClientSession, view: View, names: tuple[str, ...]) -> Rows:
        rows: Rows = {}
        after = ""
        while True:
            page = await self._get(session, f"/views/{view[0]}/{view[1]}?limit={PAGE}{after}")
            rows |= {tuple(row[name] for name in names): row for row in page["rows"]}
            if not page["next"]:
                return rows
            after = f"&after={quote(page['next'], safe='')}"

    async def _get(self, session: aiohttp.ClientSession, path: str) -> Any:
        async with session.get(_raw(self._url + path)) as answer:
            if answer.status != 200:
                raise OperatorError(f"GET {path} answered {answer.status}: {(await answer.text())[:300]}")
            return await answer.json()


async def _answer(session: aiohttp.ClientSession, url: str, request: Request) -> tuple[int, str]:
    whole = _raw(url + request.path)
    async with session.request(request.method, whole, headers=request.headers, data=request.body) as answer:
        return answer.status, await answer.text()


def _raw(url: str) -> URL:
    # aiohttp would normalise %2F in a path, and a source holds slashes.
    return URL(url, encoded=True)
