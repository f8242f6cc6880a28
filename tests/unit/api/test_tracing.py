from __future__ import annotations

import pytest
from tests.unit.api.scopes import ask, scope
from tests.unit.api.shop import JSON, open_shop

from tidings.api.tracing import trace_of, traced
from tidings.events.envelope import Envelope

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_says_which_trace_it_belongs_to() -> None:
    headers = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]
    assert trace_of(scope(headers=headers)) == {"traceparent": PARENT, "tracestate": "a=1,b=2"}


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + "-x",
        f"ff{PARENT[2:]}",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_a_trace_that_cannot_be_read_is_none(parent: str) -> None:
    assert trace_of(scope(headers={"traceparent": parent, "tracestate": "a=1"})) == {}


def test_two_parents_are_none_and_a_state_that_is_too_long_is_left_out() -> None:
    assert trace_of(scope(headers=[("traceparent", PARENT)] * 2)) == {}
    long = {"traceparent": PARENT, "tracestate": "a=" + "x" * 511}
    assert trace_of(scope(headers=long)) == {"traceparent": PARENT}


def test_the_trace_that_an_event_was_given_stays() -> None:
    given = Envelope(id="1", source="web", type="t", attributes={"traceparent": "00-1"})
    assert traced(given, {"traceparent": PARENT, "tracestate": "a=1"}) is given


async def test_events_are_kept_with_the_trace_of_their_request() -> None:
    data = b'{"order_id":"a","customer":"ann","amount":1}'
    async with open_shop() as shop:
        headers = {"ce-type": "order-placed", "traceparent": PARENT, **JSON}
        assert (await ask(shop.http, "PUT", "/events/web/a", headers, data)).status == 201
        batch = b'[{"specversion":"1.0","id":"b","source":"web","type":"order-placed","data":%s}]' % data
        kind = {"content-type": "application/cloudevents-batch+json", "traceparent": PARENT}
        assert (await ask(shop.http, "POST", "/events", kind, batch)).status == 201
        again = {**headers, "traceparent": PARENT.replace("b7", "b8")}
        assert (await ask(shop.http, "PUT", "/events/web/a", again, data)).status == 200, "it is no content"
        entries = (await shop.opened.log.read(after=0, limit=10)).entries
    assert [entry.envelope.attributes["traceparent"] for entry in entries] == [PARENT, PARENT]
