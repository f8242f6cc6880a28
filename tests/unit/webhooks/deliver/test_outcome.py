from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.store.ladder import SECONDS, TRIES
from tidings.webhooks.deliver.answer import Answer, Failure, FailureKind
from tidings.webhooks.deliver.outcome import Decision, Effects, decide, next_at

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
SLOWED = Effects(counts="failure", slowed_until=NOW + 300 * SECOND)
FAILED = Effects(counts="failure")


def answered(status: int, **headers: str) -> Answer:
    return Answer(status=status, headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()))


def decided(result: Answer | Failure, attempt: int = 1, draw: float = 0.5) -> Decision:
    return decide(result, attempt=attempt, now=NOW, draw=draw)


def due(seconds: int, effects: Effects) -> Decision:
    return Decision(state="due", next_at=NOW + seconds * SECOND, effects=effects)


def test_the_delays_are_those_of_the_schedule() -> None:
    assert SECONDS == (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
    assert sum(SECONDS) == 75 * 3_600 + 35 * 60 + 5
    for attempt in range(1, 10):
        assert decided(answered(500), attempt).next_at == NOW + SECONDS[attempt] * SECOND


def test_the_jitter_is_a_fifth_either_way() -> None:
    assert [next_at(1, now=0, draw=draw) for draw in (0.0, 0.5, 1.0)] == [4_000_000, 5_000_000, 6_000_000]


def test_retry_budget_ends_in_a_dead_letter() -> None:
    assert TRIES == 10
    assert decided(answered(500), 9).state == "due"
    for attempt in (10, 11):
        assert decided(answered(500), attempt) == Decision(state="dead", reason="exhausted", effects=FAILED)
    assert decided(Failure(kind="lost"), 10).reason == "exhausted"


def test_redrive_starts_with_a_full_budget() -> None:
    assert next_at(0, now=NOW, draw=0.5) == NOW
    assert decided(answered(500), 1).next_at == NOW + 5 * SECOND


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert decided(answered(status)) == Decision(state="delivered", effects=Effects(counts="success"))


@pytest.mark.parametrize(
    "status", [301, 302, 303, 307, 308, 400, 401, 403, 404, 408, 409, 422, 425, 500, 501, 503, 599]
)
def test_any_other_status_is_retried(status: int) -> None:
    assert decided(answered(status)) == due(5, FAILED)


@pytest.mark.parametrize("kind", ["dns", "connect", "tls", "timeout", "protocol"])
def test_no_answer_is_retried(kind: FailureKind) -> None:
    assert decided(Failure(kind=kind)) == due(5, FAILED)


def test_dns_failure_is_retried() -> None:
    assert decided(Failure(kind="dns"), 9).state == "due"


@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_receiver_that_says_for_how_long_is_left_alone(status: int) -> None:
    effects = Effects(counts="failure", not_before=NOW + 60 * SECOND)
    assert decided(answered(status, retry_after="60")) == due(60, effects)


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_overloaded_receiver_that_says_nothing_gets_half_of_the_slots(status: int) -> None:
    assert decided(answered(status)) == due(5, SLOWED)
    assert decided(answered(status, retry_after="soon")) == due(5, SLOWED)


def test_retry_after_only_lengthens() -> None:
    assert decided(answered(500, retry_after="1")).next_at == NOW + 5 * SECOND
    assert decided(answered(500, retry_after="Sun, 06 Nov 1994 08:49:37 GMT")).next_at == NOW + 5 * SECOND
    assert decided(answered(500, retry_after="100")).next_at == NOW + 100 * SECOND
    assert decided(answered(500, retry_after="999999999")).next_at == NOW + 86_400 * SECOND
    assert decided(answered(500, retry_after="60"), 9).next_at == NOW + 86_400 * SECOND


def test_gone_disables_the_endpoint() -> None:
    gone = Decision(state="dead", reason="gone", effects=Effects(counts="failure", disable="gone"))
    assert decided(answered(410)) == gone
    assert decided(answered(500, webhook_delivery=" Disable ")) == gone


def test_a_receiver_can_refuse_one_message() -> None:
    assert decided(answered(400, webhook_delivery="abort-message")) == Decision(
        state="dead", reason="refused-by-receiver"
    )
    assert decided(answered(400, webhook_delivery="abort")) == due(5, FAILED)


def test_what_was_taken_is_delivered_whatever_else_the_receiver_wishes() -> None:
    assert decided(answered(200, webhook_delivery="abort-message")).state == "delivered"
    assert decided(answered(200, webhook_delivery="disable")) == Decision(
        state="delivered", effects=Effects(counts="success", disable="gone")
    )


@pytest.mark.parametrize("kind", ["address-refused", "url-invalid", "secret-unreadable"])
def test_what_cannot_be_sent_pauses_the_endpoint(kind: FailureKind) -> None:
    assert decided(Failure(kind=kind)) == Decision(state="dead", reason=kind, effects=Effects(pause=kind))


def test_refused_address_is_not_retried() -> None:
    assert [decided(Failure(kind="address-refused"), attempt).state for attempt in range(1, 11)] == ["dead"] * 10


def test_a_step_that_raises_and_a_step_that_is_missing_differ() -> None:
    assert decided(Failure(kind="transform-error")) == Decision(state="dead", reason="transform-error")
    held = Decision(state="held", reason="version-unreadable", is_spent=False)
    assert decided(Failure(kind="version-unreadable"), 10) == held


def test_what_the_pattern_does_not_take_is_cancelled_and_spends_no_attempt() -> None:
    expected = Decision(state="cancelled", reason="not-wanted", is_spent=False)
    assert decided(Failure(kind="not-wanted"), 10) == expected


def test_a_fault_of_our_proxy_spends_no_attempt_and_stops_everything_for_a_while() -> None:
    until = NOW + 30 * SECOND
    expected = Decision(state="due", next_at=until, is_spent=False, effects=Effects(all_not_before=until))
    assert decided(Failure(kind="proxy-failed"), 10) == expected


def test_a_claim_that_was_lost_says_nothing_of_the_endpoint() -> None:
    assert decided(Failure(kind="lost")) == due(5, Effects())


results = st.one_of(
    st.builds(
        Answer,
        status=st.integers(100, 999),
        headers=st.lists(
            st.tuples(st.sampled_from(["retry-after", "webhook-delivery", "x"]), st.text(max_size=20))
        ).map(tuple),
    ),
    st.builds(Failure, kind=st.sampled_from(get_args(FailureKind))),
)


@given(results, st.integers(1, 12), st.floats(0, 1))
def test_every_outcome_has_one_decision_that_makes_sense(result: Answer | Failure, attempt: int, draw: float) -> None:
    decision = decide(result, attempt=attempt, now=NOW, draw=draw)
    assert (decision.state == "due") == (decision.next_at is not None)
    assert (decision.state in ("dead", "held", "cancelled")) == (decision.reason is not None)
    if decision.next_at is not None:
        assert NOW < decision.next_at <= NOW + round(86_400 * 1.2) * SECOND
        assert attempt < TRIES or not decision.is_spent
    assert (decision.state == "delivered") == (isinstance(result, Answer) and 200 <= result.status < 300)
    assert decision == decide(result, attempt=attempt, now=NOW, draw=draw)
