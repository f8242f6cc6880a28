from __future__ import annotations

import pytest
from tests.unit.api.scopes import receiving, scope

from tidings.api.answer import Message
from tidings.api.bodies import DisconnectedError, read_body
from tidings.api.problems import Problem, Refusal

MOST = 100


async def refused(*chunks: bytes, **headers: str) -> Problem:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(Refusal) as caught:
        await read_body(scope(headers=sent), receiving(*chunks), most=MOST)
    return caught.value.problem


@pytest.mark.parametrize("chunks", [(b"",), (b"x" * 100,), (b"x" * 60, b"y" * 40), (b"x" * 60, b"", b"y")])
async def test_a_body_up_to_the_limit_is_read_whole(chunks: tuple[bytes, ...]) -> None:
    assert await read_body(scope(), receiving(*chunks), most=MOST) == b"".join(chunks)


async def test_a_body_over_the_limit_is_refused() -> None:
    assert await refused(b"x" * 101) is Problem.BODY_TOO_LARGE
    assert await refused(b"x" * 60, b"y" * 41) is Problem.BODY_TOO_LARGE


async def test_a_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    for length in ("101", "9" * 30):
        with pytest.raises(Refusal):
            await read_body(scope(headers={"content-length": length}), receive, most=MOST)


async def test_peak_memory_stays_below_twice_the_limit() -> None:
    """An endless body is given up one chunk after the limit: what is held then is at most the limit and one chunk."""
    handed_over = 0

    async def endless() -> Message:
        nonlocal handed_over
        handed_over += 1
        return {"type": "http.request", "body": b"x" * 64, "more_body": True}

    with pytest.raises(Refusal):
        await read_body(scope(), endless, most=64 * 10)
    assert handed_over == 11


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x-unknown", ""])
async def test_a_coded_body_is_refused_unread(coding: str) -> None:
    assert await refused(b"x", content_encoding=coding) is Problem.UNSUPPORTED_MEDIA_TYPE


async def test_identity_is_no_coding() -> None:
    assert await read_body(scope(headers={"content-encoding": "Identity"}), receiving(b"x"), most=MOST) == b"x"


async def test_a_caller_who_goes_away_is_noticed() -> None:
    for chunks in ((), (b"x",)):
        with pytest.raises(DisconnectedError):
            await read_body(scope(), receiving(*chunks, then={"type": "http.disconnect"}), most=MOST)
