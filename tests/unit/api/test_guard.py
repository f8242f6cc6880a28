from __future__ import annotations

import pytest
from tests.unit.api.scopes import scope

from tidings.api.guard import admit_local, is_loopback
from tidings.api.problems import Problem, Refusal


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1"]
)
def test_a_loopback_host_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example", "2130706433", "127.1", "*"],
)
def test_any_other_host_is_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]"])
def test_a_direct_local_request_is_admitted(host: str) -> None:
    admit_local(scope("PUT", headers={"host": host}))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "localhost.evil.example:8080"},
        {"host": "localhost:8080@evil.example"},
        {"host": ""},
        {"host": "localhost", "forwarded": "for=1.2.3.4"},
        {"host": "localhost", "x-forwarded-for": "127.0.0.1"},
        {"host": "localhost", "x-forwarded-proto": "https"},
        {"host": "localhost", "x-real-ip": "1.2.3.4"},
        {"host": "localhost", "via": "1.1 edge"},
    ],
)
def test_a_request_that_may_come_from_elsewhere_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refusal) as caught:
        admit_local(scope("GET", headers=headers))
    assert caught.value.problem is Problem.UNAUTHENTICATED
    assert (b"www-authenticate", b"Bearer") in caught.value.headers
    assert "`tidings keys add`" in str(caught.value)


def test_no_host_is_refused() -> None:
    with pytest.raises(Refusal):
        admit_local(scope() | {"headers": []})


def test_two_origins_are_refused_whatever_they_are() -> None:
    own = ("origin", "http://localhost:8080")
    for pair in ([own, own], [("origin", "http://evil.example"), own]):
        with pytest.raises(Refusal):
            admit_local(scope("POST", headers=[("host", "localhost:8080"), *pair]))


def test_a_client_on_another_machine_is_refused_whatever_host_it_names() -> None:
    with pytest.raises(Refusal):
        admit_local(scope(client=("10.0.0.7", 1)))
    admit_local(scope(client=None))  # a Unix socket


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost:8080", "http://localhost:3000"])
def test_a_foreign_origin_may_read_but_not_change(origin: str) -> None:
    headers = {"host": "localhost:8080", "origin": origin}
    admit_local(scope("GET", headers=headers))
    with pytest.raises(Refusal):
        admit_local(scope("PUT", headers=headers))
    with pytest.raises(Refusal):
        admit_local(scope("POST", headers=headers))


def test_our_own_origin_may_change() -> None:
    admit_local(scope("POST", headers={"host": "localhost:8080", "origin": "http://localhost:8080"}))
