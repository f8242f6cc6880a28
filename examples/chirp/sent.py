"""What Partner lists of the webhooks that it took: some it answers with 200, and then forgets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import aiohttp

from tidings.reconciliation import (
    Answer,
    Capability,
    Order,
    Page,
    Paging,
    ProviderFacts,
    Rate,
    Row,
    keyed_row,
    raise_for_status,
    read_json,
    server_date,
)


class PartnerTaken:
    """The adapter of Partner's list. `url`: where Partner is."""

    facts = ProviderFacts(
        capability=Capability.EVENT_TIMED,
        order=Order.KEY,
        paging=Paging.KEYSET,
        page_limit=100,
        replica_lag=timedelta(seconds=1),
        redelivery_horizon=timedelta(0),
        rate=Rate(per_second=100, burst=100, bulk_share=0.5),
    )

    def __init__(self, url: str) -> None:
        self._url = url

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        said, headers = await self._get("", {"limit": limit, **({} if cursor is None else {"after": cursor})})
        rows = [self._row(each) for each in said["taken"]]
        return Page(rows=rows, next_cursor=rows[-1].key if said["more"] else None, server_date=server_date(headers))

    async def get_one(self, key: str) -> Answer:
        said, headers = await self._get(f"/{quote(key, safe='')}", {})
        return Answer(
            row=None if said.get("error") == f"no {key}" else self._row(said), server_date=server_date(headers)
        )

    async def _get(self, path: str, asked: dict[str, Any]) -> tuple[Any, Any]:
        url = f"{self._url}/v1/taken{path}"
        async with aiohttp.ClientSession() as session, session.get(url, params=asked, allow_redirects=False) as answer:
            raise_for_status(answer.status, answer.headers, but=(404,) if path else ())
            return await read_json(answer.content.iter_any()), answer.headers

    @keyed_row("id")
    def _row(self, each: dict[str, str]) -> Row:
        return Row(key=each["id"], state={"sha256": each["sha256"]})
