"""A provider that links to the next page, as code forges have it, and the adapter of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp

from tidings import event
from tidings.errors import CursorExpiredError
from tidings.events.envelope import Envelope
from tidings.reconciliation import (
    Answer,
    Capability,
    Order,
    Page,
    Paging,
    ProviderFacts,
    Rate,
    Row,
    Snapshot,
    next_link,
    raise_for_status,
    server_date,
)

FACTS = ProviderFacts(
    capability=Capability.VERSIONED,
    order=Order.CREATED,
    paging=Paging.SNAPSHOT,
    page_limit=20,
    tick=timedelta(seconds=1),
    replica_lag=timedelta(seconds=2),
    clock_skew=timedelta(seconds=5),
    redelivery_horizon=timedelta(days=30),
    cursor_life=timedelta(minutes=1),
    rate=Rate(per_second=10, burst=20),
    filters_by_change=True,
    index_lag=timedelta(seconds=3),
)


@event("issue-seen", version=1, subject="issue")
class IssueSeen:
    issue: str
    title: str
    created: int
    updated: datetime


@event("issue-gone", version=1, subject="issue")
class IssueGone:
    issue: str


class Linked:
    """The adapter. `facts`: what it declares."""

    def __init__(self, url: str, facts: ProviderFacts = FACTS) -> None:
        self.url = f"{url}/issues"
        self.facts = facts

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        return await self._page(cursor or f"{self.url}?per_page={limit}")

    async def list_changed(self, *, since: datetime, cursor: str | None, limit: int) -> Page:
        return await self._page(cursor or f"{self.url}?per_page={limit}&since={int(since.timestamp())}")

    async def get_one(self, key: str) -> Answer:
        said, answer = await self._get(f"{self.url}/{key}", but=(404,))
        return Answer(row=None if answer.status == 404 else self.row(said), server_date=self.date(answer.headers))

    def cursor_after(self, order_key: Any) -> str:
        return f"{self.url}?page={order_key[0]}"

    def date(self, headers: Mapping[str, str]) -> datetime | None:
        return server_date(headers)

    async def _page(self, url: str) -> Page:
        said, answer = await self._get(url, but=(410,))
        if answer.status == 410:
            raise CursorExpiredError
        link = answer.links.get("next")
        more = next_link(url, None if link is None else str(link["url"]))
        return Page(rows=[self.row(each) for each in said], next_cursor=more, server_date=self.date(answer.headers))

    async def _get(self, url: str, *, but: tuple[int, ...]) -> tuple[Any, aiohttp.ClientResponse]:
        async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as answer:
            raise_for_status(answer.status, answer.headers, but=but)
            said = await answer.json()
            if not isinstance(said, list | dict):
                raise TypeError(f"{said!r:.80} is neither a list nor an issue")
            return said, answer

    def row(self, issue: dict[str, Any]) -> Row:
        state = {"issue": issue["id"], "title": issue["title"]}
        updated = datetime.fromisoformat(issue["updated_at"])
        return Row(key=issue["id"], state=state, order=(issue["created"], issue["id"]), version=updated)

    def observed(self, row: Row) -> IssueSeen:
        assert isinstance(row.order, tuple)
        assert isinstance(row.version, datetime)
        return IssueSeen(row.key, row.state["title"], int(row.order[0]), row.version)

    def deleted(self, key: str) -> IssueGone:
        return IssueGone(key)

    def read(self, event: Any, envelope: Envelope) -> Snapshot:
        if isinstance(event, IssueGone):
            return Snapshot(key=event.issue, state=None)
        state = {"issue": event.issue, "title": event.title}
        return Snapshot(key=event.issue, state=state, at=event.updated, order=(event.created, event.issue))
