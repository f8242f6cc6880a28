from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tidings.api.answer import Answer, Receive, Scope, Send
from tidings.api.connection import HEAD_BYTES_MAX, Connection


class Wire(asyncio.Transport):
    """The other end: keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def answered(scope: Scope, receive: Receive, send: Send) -> None:
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await Answer(200, (), scope["raw_path"])(scope, receive, send)


async def sent(*chunks: bytes) -> Wire:
    state, wire = ServerState(), Wire()
    config = uvicorn.Config(answered, http=Connection, ws="none", lifespan="off", log_config=None)
    connection = Connection(config=config, server_state=state, app_state={})
    connection.connection_made(wire)
    for chunk in chunks:
        if not wire.closed:
            connection.data_received(chunk)
    while state.tasks:
        await asyncio.wait(state.tasks)
    closed_by_us = wire.closed
    connection.connection_lost(None)
    wire.closed = closed_by_us
    return wire


def head(size: int, *, path: bytes = b"/a", body: int = 0) -> bytes:
    """A request head, closing, whose names and values make this many bytes as they are counted."""
    line = b"POST " + path + b" HTTP/1.1\r\n"
    fixed = b"content-length: %d\r\nconnection: keep-alive\r\nx: " % body
    counted = len(path) + sum(len(part) for part in (b"content-length", b"%d" % body, b"connectionkeep-alivex")) + 12
    return line + fixed + b"a" * (size - counted) + b"\r\n\r\n"


async def test_a_head_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    assert (await sent(head(HEAD_BYTES_MAX))).written.startswith(b"HTTP/1.1 200 OK")
    wire = await sent(head(HEAD_BYTES_MAX + 1))
    assert wire.written.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n")
    assert wire.closed


@pytest.mark.parametrize("size", [1_000, 65_536])
async def test_a_head_that_does_not_end_is_given_up(size: int) -> None:
    wire = await sent(b"GET / HTTP/1.1\r\nx: ", *[b"a" * size] * (2 * HEAD_BYTES_MAX // size))
    assert wire.closed
    assert b"malformed-request" in wire.written


async def test_a_large_body_and_the_head_behind_it_are_not_one_large_head() -> None:
    body = b"b" * 200_000
    second = head(1_000, path=b"/second")
    first = head(500, path=b"/first", body=len(body)) + body + second[:900]
    wire = await sent(first, second[900:950], second[950:])
    assert not wire.closed
    assert wire.written.index(b"/first") < wire.written.index(b"/second")


async def test_a_head_in_many_pieces_is_one_head() -> None:
    whole = head(2_000)
    assert (await sent(*(whole[n : n + 1] for n in range(len(whole))))).written.startswith(b"HTTP/1.1 200")
