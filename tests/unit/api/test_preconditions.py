"""Whoever changes configuration says which version they have seen, as an ETag is written."""

from __future__ import annotations

import pytest
from tests.unit.api.scopes import scope

from tidings.api.preconditions import check_put, check_seen
from tidings.api.problems import Problem, Refusal
from tidings.errors import MalformedError

TAG = '"661321d68e141.2"'


def seen(given: str | None) -> None:
    check_seen(scope("PATCH", headers={} if given is None else {"if-match": given}), TAG, what="the endpoint")


@pytest.mark.parametrize("given", [TAG, "*", f'"x", {TAG}', f'{TAG},"x"', f'W/"x" , {TAG}'])
def test_who_has_seen_the_version_may_change_it(given: str) -> None:
    seen(given)


@pytest.mark.parametrize(
    ("given", "problem", "told"),
    [
        (None, Problem.PRECONDITION_REQUIRED, "send the ETag of the endpoint"),
        ('"old"', Problem.PRECONDITION_FAILED, "was changed since you read it"),
        (f"W/{TAG}", Problem.PRECONDITION_FAILED, "was changed since you read it"),
    ],
)
def test_who_has_not_is_refused(given: str | None, problem: Problem, told: str) -> None:
    with pytest.raises(Refusal, match=told) as refused:
        seen(given)
    assert refused.value.problem is problem


@pytest.mark.parametrize("given", [TAG.strip('"'), "", "foo", "'1'", f"{TAG} {TAG}", f"*, {TAG}", '"a", b'])
def test_what_is_no_etag_is_called_that_and_not_an_old_version(given: str) -> None:
    with pytest.raises(MalformedError, match="in its quotes"):
        seen(given)


def test_putting_makes_what_is_not_there_and_changes_what_is() -> None:
    def put(etag: str | None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        check_put(scope("PUT", headers=named), etag, what="endpoint", name="crm")

    put(None)
    put(None, if_none_match="*")
    put(TAG, if_match=TAG)
    for etag, given, told in (
        (None, {"if_match": "*"}, "there is no endpoint 'crm': leave If-Match out"),
        (TAG, {"if_none_match": "*"}, "there is an endpoint 'crm'"),
        (TAG, {"if_match": '"old"'}, "the endpoint was changed"),
    ):
        with pytest.raises(Refusal, match=told) as refused:
            put(etag, **given)
        assert refused.value.problem is Problem.PRECONDITION_FAILED
    with pytest.raises(Refusal, match="the endpoint"):
        put(TAG)
