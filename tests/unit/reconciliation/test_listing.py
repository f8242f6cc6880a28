from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tidings.errors import NotAuthorisedError, ProviderUnavailableError, RateLimitedError
from tidings.reconciliation import next_link, raise_for_status, read_json, server_date

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def test_an_answer_is_as_old_as_its_date_less_its_age() -> None:
    made = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert server_date({"Date": DATE}) == made
    assert server_date({"date": DATE, "age": "7"}) == made - timedelta(seconds=7)
    for headers in ({}, {"date": "yesterday"}, {"date": DATE, "age": "-1"}, {"date": DATE, "age": "x"}):
        assert server_date(headers) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, NotAuthorisedError),
        (403, NotAuthorisedError),
        (404, ProviderUnavailableError),
        (429, RateLimitedError),
        (500, ProviderUnavailableError),
        (204, ProviderUnavailableError),
        (302, ProviderUnavailableError),
    ],
)
def test_whatever_is_no_answer_is_no_read(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        raise_for_status(status, {})


def test_what_an_adapter_knows_more_of_is_let_through() -> None:
    raise_for_status(200, {})
    raise_for_status(404, {}, but=(404,))


@pytest.mark.parametrize(
    ("said", "wait"),
    [("30", 30.0), ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0), ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0), ("soon", None)],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(said: str, wait: float | None) -> None:
    with pytest.raises(RateLimitedError) as found:
        raise_for_status(503, {"Retry-After": said, "Date": DATE})
    assert found.value.retry_after == (None if wait is None else timedelta(seconds=wait))


@pytest.mark.parametrize("link", ["?page=2", "/orders?page=2", "https://api.till.example:443/orders?page=2"])
def test_a_next_link_is_followed_within_its_origin(link: str) -> None:
    assert (next_link("https://api.till.example/orders", link) or "").endswith("/orders?page=2")
    assert next_link("https://api.till.example/orders", None) is None


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/orders",
        "//evil.example/orders",
        "http://api.till.example/orders",
        "https://api.till.example:8443/orders",
        "https://api.till.example@evil.example/orders",
        "https://api.till.example:99999/orders",
        "ftp://api.till.example/orders",
    ],
)
def test_next_link_of_another_origin_is_refused(link: str) -> None:
    with pytest.raises(ProviderUnavailableError, match="elsewhere"):
        next_link("https://api.till.example/orders", link)


async def pieces(*said: bytes) -> AsyncIterator[bytes]:
    for each in said:
        yield each


async def test_an_answer_is_read_in_pieces() -> None:
    assert await read_json(pieces(b'{"data": [', b"1]}")) == {"data": [1]}


async def test_an_answer_that_has_no_end_is_given_up() -> None:
    handed_over = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal handed_over
        while True:
            handed_over += 1
            yield b" " * 100

    with pytest.raises(ProviderUnavailableError, match="over 1,000 bytes"):
        await read_json(endless(), most=1_000)
    assert handed_over == 11


@pytest.mark.parametrize("said", [b"", b"<html>", b"{", b"\xff", b"[" * 100_000])
async def test_what_is_no_json_is_no_read(said: bytes) -> None:
    with pytest.raises(ProviderUnavailableError, match="is no JSON"):
        await read_json(pieces(said))
