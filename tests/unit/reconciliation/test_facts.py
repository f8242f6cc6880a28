"""What may be declared of a provider, and that what may not is refused with what to write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.reconciliation.declared import facts
from tidings.errors import DeclarationError
from tidings.reconciliation.rules.facts import Rate

SECOND = timedelta(seconds=1)
SPANS = ["tick", "replica_lag", "clock_skew", "index_lag", "redelivery_horizon"]


def test_versions_that_are_counters_are_refused_with_what_to_declare_instead() -> None:
    with pytest.raises(DeclarationError, match=r"version_is_time=False .*not supported yet.*EVENT_TIMED.*BARE"):
        facts(version_is_time=False)


@pytest.mark.parametrize(
    ("declared", "taught"),
    [
        ({"capability": "Z"}, r"capability='Z'.*Capability\.VERSIONED, Capability\.EVENT_TIMED or Capability\.BARE"),
        ({"capability": "V"}, r"capability='V'.*write Capability\.VERSIONED"),
        ({"order": "key"}, r"order='key'.*write Order\.KEY"),
        ({"paging": None}, r"paging=None.*Paging\.KEYSET, Paging\.SNAPSHOT or Paging\.OFFSET"),
    ],
)
def test_a_word_that_is_no_fact_is_refused(declared: dict[str, Any], taught: str) -> None:
    with pytest.raises(DeclarationError, match=taught):
        facts(**declared)


@pytest.mark.parametrize("name", [*SPANS, "cursor_life"])
@pytest.mark.parametrize("span", [3, 0.5, "1s", -SECOND, timedelta.max])
def test_what_is_no_span_of_time_is_refused(name: str, span: Any) -> None:
    with pytest.raises(DeclarationError, match=rf"^{name}=.*write timedelta\(seconds="):
        facts(**{name: span})


@pytest.mark.parametrize("name", SPANS)
def test_a_span_that_is_needed_is_not_left_out(name: str) -> None:
    with pytest.raises(DeclarationError, match=rf"^{name}=None"):
        facts(**{name: None})


@pytest.mark.parametrize("name", ["tick", "cursor_life"])
def test_a_clock_without_resolution_and_a_cursor_without_life_are_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=f"^{name}=0:00:00"):
        facts(**{name: timedelta(0)})


@pytest.mark.parametrize("limit", [0, -1, 2.5, "100", None])
def test_a_page_has_a_whole_number_of_rows(limit: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^page_limit=.*write page_limit=100"):
        facts(page_limit=limit)


@pytest.mark.parametrize("name", ["seekable", "filters_by_change"])
def test_a_yes_or_no_is_one(name: str) -> None:
    with pytest.raises(DeclarationError, match=f"^{name}='no'.*write True or False"):
        facts(**{name: "no"})


@pytest.mark.parametrize("rate", [5, None, (5, 10)])
def test_a_rate_is_a_rate(rate: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^rate=.*write Rate\(per_second=25, burst=50\)"):
        facts(rate=rate)


@pytest.mark.parametrize("per_second", [0, -1, "5", None, float("nan"), float("inf"), 1e-300])
def test_a_provider_that_may_never_be_asked_is_refused(per_second: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^per_second=.*write per_second=25"):
        Rate(per_second=per_second, burst=5)


@pytest.mark.parametrize("burst", [0, -1, 0.5, 1.5, "3", None])
def test_a_burst_is_one_read_at_least(burst: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^burst=.*write burst=1"):
        Rate(per_second=5, burst=burst)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, "half", None, float("nan")])
def test_whole_lists_have_a_share(share: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^bulk_share=.*write bulk_share=0\.2"):
        Rate(per_second=5, burst=5, bulk_share=share)


def test_the_least_that_may_be_declared_is_taken() -> None:
    Rate(per_second=1 / 86_400, burst=1, bulk_share=1)
    facts(tick=timedelta(microseconds=1), replica_lag=timedelta(0), page_limit=1, cursor_life=SECOND)
