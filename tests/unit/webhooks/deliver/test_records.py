from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tidings.store.endpoints import Condition, EndpointRecord
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.answer import Answer, Excerpt, Failure
from tidings.webhooks.deliver.configured import endpoint_of
from tidings.webhooks.deliver.endpoint import Endpoint
from tidings.webhooks.deliver.health import Health
from tidings.webhooks.deliver.outcome import decide
from tidings.webhooks.deliver.records import (
    condition_of,
    config_of,
    endpoint_of_record,
    health_of,
    pacing_of,
    secrets_of,
    secrets_to_bytes,
)
from tidings.webhooks.deliver.secrets import Held
from tidings.webhooks.deliver.settling import result_of

NOW = 1_800_000_000_000_000
SECOND = 1_000_000


def made(**members: Any) -> Endpoint:
    return endpoint_of({"url": "https://example.com/", **members}, id="ep_1", health=health.new(NOW))


def kept(endpoint: Endpoint) -> EndpointRecord:
    return EndpointRecord(
        id=endpoint.id,
        config=config_of(endpoint),
        starts_after=0,
        created=NOW,
        pacing=pacing_of(endpoint),
        condition=condition_of(endpoint.health),
    )


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"ordering": "fifo", "slots": 1, "rate": 60, "headers": {"X-A": "b"}, "pin": {"a": 2}},
        {"batch": {"size": 10, "linger_ms": 200}, "pattern": {"type": ["a"]}},
    ],
)
def test_an_endpoint_is_kept_and_found(members: dict[str, Any]) -> None:
    endpoint = made(**members)
    assert endpoint_of_record(kept(endpoint), now=NOW + 1) == endpoint


def test_claims_are_told_what_they_need() -> None:
    pacing = pacing_of(made(ordering="key", slots=8, reserved=2, rate=30, batch={"size": 10, "linger_ms": 200}))
    assert (pacing.ordering, pacing.slots, pacing.reserved, pacing.rate) == ("key", 8, 2, 30)
    assert (pacing.batch, pacing.linger) == (10, 200_000)
    assert (pacing_of(made()).batch, pacing_of(made()).linger) == (1, 0)


attempts = st.lists(st.tuples(st.booleans(), st.integers(1, 20), st.integers(0, 10**12)), max_size=40)


@given(attempts)
def test_health_is_kept_and_found(taken: list[tuple[bool, int, int]]) -> None:
    state, now = health.new(NOW), NOW
    for is_good, event, later in taken:
        now += later
        state = health.succeeded(state, now=now) if is_good else health.failed(state, event=event, now=now)
        kept = condition_of(state)
        written = replace(kept, health=bytes(kept.health))
        assert health_of(kept, now=now + 1) == health_of(written, now=now + 1) == state
        assert len(bytes(kept.health)) < 1_000


def test_health_is_counted_anew_where_the_store_resumed_the_endpoint() -> None:
    assert health_of(Condition(), now=NOW) == health.new(NOW)
    paused = condition_of(health.paused(health.new(NOW - 9), why="operator", now=NOW - 5))
    resumed = Condition(health=paused.health)
    assert health_of(resumed, now=NOW) == health.new(NOW)


def test_a_pause_by_the_store_is_seen() -> None:
    before = condition_of(health.new(NOW - 9))
    paused = Condition(state="paused", since=NOW - 5, why="operator", health=before.health)
    assert health_of(paused, now=NOW) == Health(state="paused", since=NOW - 5, why="operator", quiet_since=NOW - 9)


def test_secrets_are_kept_and_found() -> None:
    held = (Held(id="k2", sealed="aes256gcm$…", since=2), Held(id="k1", sealed="x", since=1, until=9))
    assert secrets_of(secrets_to_bytes(held)) == held
    assert secrets_of(b"") == ()


def settled(seen: Answer | Failure, attempt: int = 1, condition: Condition | None = None) -> Any:
    record = kept(made())
    record = EndpointRecord(
        id="ep_1", config=record.config, starts_after=0, created=NOW, condition=condition or record.condition
    )
    decision = decide(seen, attempt=attempt, now=NOW, draw=0.5)
    return result_of(record, seen, decision, position=7, now=NOW, body_hash=b"h")


def test_an_answer_is_written_with_the_endpoint_in_one_result() -> None:
    seen = Answer(
        status=503,
        headers=(("retry-after", "60"),),
        body=Excerpt(text="busy", size=4),
        address="203.0.113.7:443",
        duration_us=1_234,
    )
    result = settled(seen)
    assert (result.state, result.outcome, result.next_at) == ("due", "http-error", NOW + 60 * SECOND)
    assert (result.error, result.is_spent, result.body_hash) == ("the receiver answered 503", True, b"h")
    assert json.loads(result.answer) == {
        "status": 503, "address": "203.0.113.7:443", "duration_us": 1_234, "headers": [["retry-after", "60"]],
        "body": {"text": "busy", "encoding": "text", "truncated": False, "size": 4},
    }  # fmt: skip
    assert result.condition.not_before == NOW + 60 * SECOND
    assert health_of(result.condition, now=NOW).failed_events == (7,)


def test_of_what_a_private_address_answers_nothing_is_written_but_the_status() -> None:
    seen = Answer(
        status=503,
        headers=(("retry-after", "60"), ("x-inside", "canary")),
        body=Excerpt(text="canary", size=6),
        address="10.0.0.7:443",
        is_private=True,
        duration_us=1_234,
    )
    result = settled(seen)
    assert json.loads(result.answer) == {
        "status": 503, "address": "10.0.0.7:443", "duration_us": 1_234, "withheld": True,
    }  # fmt: skip
    assert "canary" not in repr(result)
    assert result.next_at == NOW + 60 * SECOND  # it is heeded all the same


def test_a_delivered_one_says_so() -> None:
    result = settled(Answer(status=204))
    assert (result.state, result.outcome, result.error) == ("delivered", "delivered", None)


def test_gone_disables_and_a_refused_address_pauses() -> None:
    assert (settled(Answer(status=410)).condition.state, settled(Answer(status=410)).condition.why) == (
        "disabled",
        "gone",
    )
    refused = settled(Failure(kind="address-refused", error="no", refused=("10.0.0.1:443",)))
    assert (refused.state, refused.outcome, refused.condition.state) == ("dead", "address-refused", "paused")
    assert json.loads(refused.answer)["refused"] == ["10.0.0.1:443"]


@pytest.mark.parametrize("kind", ["proxy-failed", "version-unreadable", "transform-error"])
def test_what_says_nothing_of_the_endpoint_leaves_it_as_it_is(kind: Any) -> None:
    assert settled(Failure(kind=kind)).condition is None


def test_auto_pause_works_and_keeps_the_deliveries() -> None:
    condition, now = condition_of(health.new(NOW)), NOW
    record = kept(made())
    states = []
    for number in range(80):
        now = NOW + number * 2 * 3_600 * SECOND
        record = EndpointRecord(id="ep_1", config=record.config, starts_after=0, created=NOW, condition=condition)
        seen = Failure(kind="timeout")
        result = result_of(record, seen, decide(seen, attempt=1, now=now, draw=0.5), position=number, now=now)
        states.append(result.state)
        condition = result.condition or condition
    assert (condition.state, condition.why) == ("paused", "no-success-for-5-days")
    assert set(states) == {"due"}
