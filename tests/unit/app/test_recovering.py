"""Webhooks that never came, from their provider's own log."""

from __future__ import annotations

from typing import Any

import pytest

from tidings import App, Service, Settings, event
from tidings.errors import NotFoundError
from tidings.events.codec import encode_json
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.read import Item


@event("order-paid", version=1, subject="order_id")
class OrderPaid:
    order_id: str


def app() -> App:
    made = App(Service("orders", emits=[OrderPaid]))
    till = made.receiver("till", PRESETS["stripe"], secrets=("whsec_2b7e151628aed2a6abf7158809cf4f3c",), source="/till")

    @till.translate("checkout.session.completed")
    def paid(item: Item) -> OrderPaid | None:
        return OrderPaid(item.payload["data"]["object"]["client_reference_id"])

    return made


def told(id: str, order: str = "o-1", **more: Any) -> bytes:
    paid = {"object": {"id": "cs_1", "client_reference_id": order}}
    return encode_json({"id": id, "type": "checkout.session.completed", "created": 1_700_000_000, "data": paid, **more})


async def test_lost_webhook_is_appended_with_its_own_source_and_id_and_one_that_came_is_not() -> None:
    shop = app()
    async with shop.open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        till = await opened.roster.find("till")
        assert till is not None
        pairs = ((b"content-type", b"application/json"),)
        await opened.intake.keep(
            arrival_of(till, Given(pairs, told("evt_1"), till.facts("POST", b"")), opened.making())
        )
        assert await shop.recover("till", told("evt_1", livemode=True)) == "duplicate"  # that log says more of it
        assert await shop.recover("till", told("evt_2", "o-2")) == "stored"
        assert await shop.recover("till", told("evt_2", "o-2")) == "duplicate"
        assert await shop.recover("till", b"{") == "failed"
        found = [each.envelope for each in (await opened.log.read(after=0, limit=10)).entries]
        assert [(each.source, each.id) for each in found] == [("/till", "evt_1"), ("/till", "evt_2")]
        with pytest.raises(NotFoundError):
            await shop.recover("tills", told("evt_3"))
