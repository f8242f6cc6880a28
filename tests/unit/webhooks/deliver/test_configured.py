from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import EndpointRefusedError, InvalidConfigurationError, PatternError
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.configured import MEMBERS, endpoint_of, members_of
from tidings.webhooks.deliver.endpoint import Batch, Endpoint

URL = "https://example.com/hooks"


def made(**members: Any) -> Endpoint:
    return endpoint_of({"url": URL, **members}, id="ep_1", health=health.new(0))


def pointers(**members: Any) -> list[str]:
    with pytest.raises((InvalidConfigurationError, PatternError)) as caught:
        made(**members)
    return [where for where, _ in caught.value.errors]


def test_a_url_is_enough() -> None:
    endpoint = made()
    assert (endpoint.format, endpoint.ordering, endpoint.slots, endpoint.reserved) == ("cloudevents", "none", 4, 1)
    assert (endpoint.rate, endpoint.batch, dict(endpoint.headers), dict(endpoint.pin)) == (None, None, {}, {})
    assert members_of(endpoint).keys() == set(MEMBERS)


def test_what_is_said_is_kept() -> None:
    members = {
        "url": URL, "via": "push", "pattern": {"type": ["order.placed"]}, "pin": {"order.placed": 2},
        "format": "cloudevents", "ordering": "key", "slots": 8, "reserved": 2, "rate": 30,
        "headers": {"Authorization": "Bearer x"},
        "batch": {"size": 100, "bytes": 1_000_000, "linger_ms": 5_000},
        "legacy": {"preset": "github", "header": "X-Shop-Signature", "prefix": "v1=", "secret": "hush"},
    }  # fmt: skip
    endpoint = endpoint_of(members, id="ep_1", health=health.new(0))
    assert members_of(endpoint) == members
    assert endpoint.batch == Batch(size=100, bytes=1_000_000, linger_ms=5_000)


def test_one_that_is_polled_has_no_url_and_none_of_what_steers_requests() -> None:
    endpoint = endpoint_of({"via": "poll", "format": "standard"}, id="ep_1", health=health.new(0))
    assert (endpoint.url, endpoint.via, endpoint.format) == ("", "poll", "standard")
    assert endpoint_of(members_of(endpoint), id="ep_1", health=health.new(0)) == endpoint
    with pytest.raises(InvalidConfigurationError) as refused:
        endpoint_of({"via": "poll", "url": URL, "slots": 8, "rate": 5}, id="ep_1", health=health.new(0))
    assert [where for where, _ in refused.value.errors] == ["/url", "/slots", "/rate"]


def test_one_slot_leaves_none_to_reserve() -> None:
    assert made(slots=1).reserved == 0


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"url": None}, ["/url"]),
        ({"url": 7}, ["/url"]),
        ({"colour": 1, "a/b~c": 2}, ["/colour", "/a~1b~0c"]),
        ({"format": "xml"}, ["/format"]),
        ({"format": ["cloudevents"]}, ["/format"]),
        ({"ordering": "strict"}, ["/ordering"]),
        ({"slots": 0}, ["/slots"]),
        ({"slots": 201}, ["/slots"]),
        ({"slots": True}, ["/slots"]),
        ({"slots": 4.0}, ["/slots"]),
        ({"slots": 2, "reserved": 2}, ["/reserved"]),
        ({"reserved": -1}, ["/reserved"]),
        ({"rate": 0}, ["/rate"]),
        ({"rate": 1.5}, ["/rate"]),
        ({"rate": 6_000_001}, ["/rate"]),
        ({"rate": "5"}, ["/rate"]),
        ({"batch": 7}, ["/batch"]),
        ({"batch": {}}, ["/batch/size"]),
        ({"batch": {"size": 1}}, ["/batch/size"]),
        ({"batch": {"size": 501}}, ["/batch/size"]),
        ({"batch": {"size": 2, "bytes": 1_048_577}}, ["/batch/bytes"]),
        ({"batch": {"size": 2, "linger_ms": 5_001}}, ["/batch/linger_ms"]),
        ({"batch": {"size": 2, "linger": 1}}, ["/batch/linger"]),
        ({"batch": {"size": 2}, "format": "standard"}, ["/batch"]),
        ({"batch": {"size": 2}, "ordering": "fifo"}, ["/batch"]),
        ({"pattern": []}, ["/pattern"]),
        ({"pin": {"order/placed": 0}}, ["/pin/order~1placed"]),
        ({"pin": {"order.placed": True}}, ["/pin/order.placed"]),
        ({"pin": [1]}, ["/pin"]),
        ({"headers": "x"}, ["/headers"]),
        ({"headers": {"Host": "x"}}, ["/headers/Host"]),
        ({"headers": {f"x-{n}": "1" for n in range(33)}}, ["/headers"]),
        ({"headers": {"X-One": "1", "x-one": "2"}}, ["/headers"]),
    ],
)
def test_each_fault_is_told_with_its_pointer(members: dict[str, Any], where: list[str]) -> None:
    assert pointers(**members) == where


def test_all_faults_are_told_at_once() -> None:
    assert pointers(url="http://x/", slots=0, format="xml") == ["/format", "/slots", "/url"]


def test_a_url_that_nothing_may_be_sent_to_has_an_error_of_its_own() -> None:
    with pytest.raises(EndpointRefusedError, match="private"):
        made(url="https://10.0.0.1/")


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        ({"type": "order.placed"}, "/pattern/type"),
        ({"type": []}, "/pattern/type"),
        ({"data": {"total": [{"numeric": ["<", "x"]}]}}, "/pattern/data/total/0"),
    ],
)
def test_a_fault_in_the_pattern_is_placed_within_the_body(pattern: Any, where: str) -> None:
    assert [each[: len(where)] for each in pointers(pattern=pattern)] == [where]


@pytest.mark.parametrize("pattern", [{}, {"type": ["order.placed", {"prefix": "invoice."}]}])
def test_an_empty_pattern_is_every_event_and_others_are_kept_as_they_are(pattern: Any) -> None:
    assert made(pattern=pattern).pattern == pattern


@pytest.mark.parametrize(
    "name",
    [
        "webhook-id", "Webhook-Signature", "Idempotency-Key", "traceparent", "User-Agent", "Tidings-Attempt",
        "Deprecation", "Sunset", "Link", "Host", "Content-Length", "content-type", "Connection", "Keep-Alive", "TE",
        "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Authorization", "ce-id", "Accept-Encoding", "Expect", "",
        "a b", "a:b", "a\r\nb", "ä", "x" * 65,
    ],
)  # fmt: skip
def test_reserved_and_unwritable_names_of_headers_are_refused(name: str) -> None:
    assert len(pointers(headers={name: "1"})) == 1


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\x00", " a", "a ", "é", "x" * 1_025, 7, None])
def test_header_injection(value: object) -> None:
    assert pointers(headers={"X-Own": value}) == ["/headers/X-Own"]


@pytest.mark.parametrize("value", ["", "a", "Bearer abc.def", "a\tb c"])
def test_an_ordinary_header_is_taken(value: str) -> None:
    assert made(headers={"X-Own": value}).headers == {"X-Own": value}


def test_headers_are_not_shown() -> None:
    assert "canary" not in repr(made(headers={"Authorization": "canary"}))


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=5), json, max_size=8))
def test_any_json_object_is_an_endpoint_or_refused_with_pointers(members: dict[str, Any]) -> None:
    try:
        endpoint, errors = made(**members), None
    except (InvalidConfigurationError, PatternError) as error:
        endpoint, errors = None, error.errors
    if endpoint is None:
        assert errors
        assert all(where.startswith("/") for where, _ in errors)
    else:
        assert endpoint_of(members_of(endpoint), id="ep_1", health=health.new(0)) == endpoint
