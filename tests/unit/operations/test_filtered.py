from __future__ import annotations

import pytest

from tests.unit.operations.stage import SERVICES, Stage
from tidings.conformance.endpoint_samples import deliver, endpoint, keep, sent
from tidings.errors import NotFoundError
from tidings.operations.deliveries import deliveries
from tidings.store.deliveries import Delivery, DeliveryFilter


async def keys(stage: Stage, where: DeliveryFilter, *, at_hand: bool = True) -> list[str]:
    found = await deliveries(stage.store, SERVICES if at_hand else None, None, where=where, limit=10)
    return [each["key"] for each in found]


async def test_a_name_that_is_there_and_had_no_delivery_finds_none(stage: Stage) -> None:
    await keep(stage.store, endpoint("crm"))
    for where in (DeliveryFilter(service="billing"), DeliveryFilter(endpoint="crm")):
        assert await keys(stage, where) == []


async def test_a_name_that_is_not_there_is_told_with_the_nearest_that_is(stage: Stage) -> None:
    await keep(stage.store, endpoint("crm"))
    for where, told in (
        (
            DeliveryFilter(service="biling"),
            "no service 'biling'; there is billing, orders, rates: did you mean",
        ),
        (DeliveryFilter(function="mail"), "no function 'mail'; there is none"),
        (DeliveryFilter(endpoint="crn"), "no endpoint 'crn'; there is crm: did you mean crm"),
    ):
        with pytest.raises(NotFoundError, match=told):
            await keys(stage, where)


async def test_which_functions_there_are_is_known_by_the_application_at_hand_alone(stage: Stage) -> None:
    assert await keys(stage, DeliveryFilter(function="mail"), at_hand=False) == []


async def test_deliveries_of_what_is_gone_are_found(stage: Stage) -> None:
    await keep(stage.store, endpoint("crm"))
    await deliver(stage.store, sent(1, "crm"))
    async with stage.store.unit() as unit:
        await unit.intend([Delivery(key="k", service="gone", function="mail", payload=b"1")])
    await stage.store.remove_endpoint("crm", at=stage.clock.now_us())
    assert await keys(stage, DeliveryFilter(endpoint="crm")) == ["crm:1"]
    assert await keys(stage, DeliveryFilter(service="gone", function="mail")) == ["k"]
    closed = await deliveries(stage.store, SERVICES, "held", where=DeliveryFilter(endpoint="crm"), limit=1)
    assert closed == []
