from __future__ import annotations

import asyncio
import gc
import json
import re
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tidings.api.answer import Answer, Receive, Scope, Send
from tidings.api.connection import HEAD_SECONDS, LINGER_BYTES, LINGER_SECONDS, PIPELINED_MAX, Connection
from tidings.api.cycle import Cycle
from tidings.api.unreadable import HEAD_BYTES_MAX


class Wire(asyncio.Transport):
    """The other end: keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.pieces = 0
        self.closed = self.ended = False

    def write(self, data: Any) -> None:
        self.written += data
        self.pieces += 1

    def close(self) -> None:
        self.closed = True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def answered(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what was asked for: path, host, headers of the event, body."""
    body, more = b"", True
    if scope["raw_path"] == b"/slow":
        for _ in range(10):
            await asyncio.sleep(0)
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    shown = [name + b"=" + value for name, value in scope["headers"] if name == b"host" or name.startswith(b"ce-")]
    await Answer(200, (), b"|".join((scope["raw_path"], *shown, body)))(scope, receive, send)


def connected(state: ServerState, *, most: int = 10) -> tuple[Connection, Wire]:
    wire = Wire()
    config = uvicorn.Config(answered, http=Connection, ws="none", lifespan="off", log_config=None)
    connection = Connection(config=config, server_state=state, app_state={}, most=most)
    connection.connection_made(wire)
    return connection, wire


async def sent(*chunks: bytes) -> Wire:
    state = ServerState()
    connection, wire = connected(state)
    for chunk in chunks:
        if not wire.closed:
            connection.data_received(chunk)
    while state.tasks:
        await asyncio.wait(state.tasks)
    closed_by_us = wire.closed or wire.ended
    connection.connection_lost(None)
    wire.closed = closed_by_us
    return wire


def bodies(wire: Wire) -> list[bytes]:
    """What was answered, in order: bodies of the application, slugs of problems."""
    found = []
    for answer in re.split(rb"HTTP/1\.1 (?=\d{3} )", wire.written)[1:]:
        body = answer.partition(b"\r\n\r\n")[2]
        found.append(json.loads(body)["type"].rpartition(":")[2].encode() if body.startswith(b"{") else body)
    return found


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


UPGRADES = [
    b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAB\r\n",
    b"connection: upgrade\r\nUpgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n",
]
BODIES = [b"content-length: 3\r\n\r\nabc", b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("body", BODIES)
async def test_a_request_that_offers_another_protocol_keeps_its_body(upgrade: bytes, body: bytes) -> None:
    whole = b"PUT /a HTTP/1.1\r\nhost: h\r\nce-type: t\r\n" + upgrade + body
    assert bodies(await sent(whole * 3)) == [b"/a|host=h|ce-type=t|abc"] * 3
    assert bodies(await sent(*(whole[n : n + 1] for n in range(len(whole))))) == [b"/a|host=h|ce-type=t|abc"]
    assert bodies(await sent(whole[:-1], whole[-1:] + whole)) == [b"/a|host=h|ce-type=t|abc"] * 2


async def test_an_offer_of_who_wants_to_close_then_is_answered_and_closed() -> None:
    for body in BODIES:
        wire = await sent(b"PUT /a HTTP/1.1\r\nhost: h\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n" + body)
        assert bodies(wire) == [b"/a|host=h|abc"]
        assert wire.closed


async def test_an_offer_without_a_body_is_answered_as_if_it_was_not_made() -> None:
    wire = await sent(b"GET /a HTTP/1.1\r\nhost: h\r\n" + UPGRADES[0] + b"\r\nGET /b HTTP/1.1\r\n\r\n")
    assert bodies(wire) == [b"/a|host=h|", b"/b|"]


@pytest.mark.parametrize("target", [b"/a#b", b"/a#", b"/a?x=#1", b"/#", b"http://localhost/a#b"])
async def test_a_target_with_a_fragment_is_refused(target: bytes) -> None:
    wire = await sent(b"GET " + target + b" HTTP/1.1\r\nhost: h\r\n\r\n")
    assert bodies(wire) == [b"malformed-request"]
    assert b"%23" in wire.written
    assert wire.closed


async def test_trailers_are_no_headers() -> None:
    wire = await sent(
        b"PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nce-type: t\r\nhost: other\r\n\r\n"
    )
    assert bodies(wire) == [b"/a|x"]


@pytest.mark.parametrize("trailing", [b"0\r\nx: ", b"0\r\n", b"1;x="])
async def test_what_stands_between_bodies_and_never_ends_is_given_up(trailing: bytes) -> None:
    head = b"PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n" + trailing
    more = (b"a: b\r\n" if trailing.endswith(b"\n") else b"a") * 10_000
    wire = await sent(head, *[more] * 20)
    assert bodies(wire) == [b"malformed-request"]
    assert wire.closed


@pytest.mark.parametrize("rest", [b"garbage\r\n\r\n", b"GET /x#y HTTP/1.1\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"])
async def test_a_request_is_answered_before_the_garbage_behind_it(rest: bytes) -> None:
    wire = await sent(head(500, path=b"/1") + head(500, path=b"/2") + rest)
    assert bodies(wire) == [b"/1|", b"/2|", b"malformed-request"]
    assert wire.closed


async def test_a_body_that_breaks_off_into_garbage_is_one_problem() -> None:
    broken = b"PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\nno chunk\r\n"
    assert bodies(await sent(broken)) == [b"malformed-request"]
    assert bodies(await sent(head(500, path=b"/slow") + broken)) == [b"/slow|", b"malformed-request"]


async def test_nothing_is_read_after_a_refusal() -> None:
    wire = await sent(b"garbage\r\n\r\n" + head(500), head(500))
    assert bodies(wire) == [b"malformed-request"]


@pytest.mark.parametrize("method", [b"FOO", b"get", b"CONNECT", b"X-1"])
async def test_a_method_that_is_none_here_is_not_allowed(method: bytes) -> None:
    target = b"localhost:1" if method == b"CONNECT" else b"/a"
    wire = await sent(method + b" " + target + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert wire.written.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" in wire.written
    assert bodies(wire) == [b"method-not-allowed"]


async def test_the_host_in_a_target_is_the_host_that_is_asked_for() -> None:
    wire = await sent(b"GET http://evil.example:1/a HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert bodies(wire) == [b"/a|host=evil.example:1|"]


def seconds(connection: Connection, wire: Wire) -> int:
    """Let seconds pass until the connection is closed; return how many there were, 100 at most."""
    for passed in range(1, 101):
        connection.tick()
        if wire.closed:
            return passed
    return 100


@pytest.mark.parametrize("begun", [[], [b"GET / HTTP/1.1\r\nx"], [b"\r\n", b"\r\n"]])
async def test_a_connection_on_which_no_head_becomes_whole_is_closed(begun: list[bytes]) -> None:
    connection, wire = connected(ServerState())
    for chunk in begun:
        connection.tick()
        connection.data_received(chunk)
    assert seconds(connection, wire) == HEAD_SECONDS - len(begun)


async def test_a_connection_that_is_kept_alive_is_closed_when_its_next_head_does_not_become_whole() -> None:
    state = ServerState()
    connection, wire = connected(state)
    connection.data_received(head(500))
    await asyncio.wait(state.tasks)
    for _ in range(3):
        connection.tick()
    assert not wire.closed
    connection.data_received(b"G")
    assert seconds(connection, wire) == HEAD_SECONDS - 3
    connection.connection_lost(None)


async def test_a_connection_that_asks_for_nothing_more_is_kept_for_as_long_as_was_said() -> None:
    state = ServerState()
    connection, wire = connected(state)
    connection.tick()
    connection.data_received(head(500))
    await asyncio.wait(state.tasks)
    assert seconds(connection, wire) == connection.timeout_keep_alive
    connection.connection_lost(None)


async def test_a_whole_answer_goes_out_in_one_piece() -> None:
    wire = await sent(head(500, path=b"/1") + head(500, path=b"/2"))
    assert bodies(wire) == [b"/1|", b"/2|"]
    assert wire.pieces == 2


@pytest.mark.parametrize("line", [b"HEAD /a HTTP/1.1", b"GET /a HTTP/1.0"])
async def test_an_answer_without_a_body_and_one_that_ends_the_connection_are_as_they_must_be(line: bytes) -> None:
    wire = await sent(line + b"\r\nhost: h\r\n\r\n")
    assert b"\r\ncontent-length: 10\r\n" in wire.written
    assert wire.written.endswith(b"\r\n\r\n" if line.startswith(b"HEAD") else b"\r\n\r\n/a|host=h|")
    assert wire.closed == (not line.startswith(b"HEAD"))


async def test_requests_that_are_answered_leave_nothing_to_the_collector_of_cycles() -> None:
    state = ServerState()
    connection, _ = connected(state)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            connection.data_received(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            while state.tasks:
                await asyncio.wait(state.tasks)
        left = [each for each in gc.get_objects() if isinstance(each, Cycle)]
    finally:
        gc.enable()
    assert left == [connection.cycle]
    connection.connection_lost(None)


async def test_a_request_that_is_being_answered_or_received_is_not_cut_off() -> None:
    connection, wire = connected(ServerState())
    connection.data_received(head(500))
    assert seconds(connection, wire) == 100
    connection, wire = connected(ServerState())
    connection.data_received(head(500, body=2) + b"x")
    assert seconds(connection, wire) == 100


async def test_without_room_who_keeps_us_waiting_longest_makes_some() -> None:
    state = ServerState()
    served, served_wire = connected(state, most=3)
    served.data_received(head(500))
    slow, slow_wire = connected(state, most=3)
    slow.data_received(head(500, body=2) + b"x")
    for each in (served, slow):
        each.tick()
    idle, idle_wire = connected(state, most=3)
    for each in (served, slow, idle):
        each.tick()
    _, fourth = connected(state, most=3)
    assert [wire.closed for wire in (served_wire, slow_wire, idle_wire, fourth)] == [False, True, False, False]


async def test_without_room_and_nobody_waiting_a_connection_is_refused() -> None:
    state = ServerState()
    connected(state, most=1)[0].data_received(head(500))
    _, refused = connected(state, most=1)
    await asyncio.wait(state.tasks)
    assert bodies(refused) == [b"overloaded"]
    assert refused.ended


async def refused(scope: Scope, receive: Receive, send: Send) -> None:
    await Answer(413, (), b"too large")(scope, receive, send)


async def early(*, closing: bool = True) -> tuple[Connection, Wire]:
    """A connection whose request is answered before its body came."""
    state = ServerState()
    connection, wire = connected(state)
    connection.app = refused
    line = b"connection: close\r\n" if closing else b""
    connection.data_received(b"PUT /a HTTP/1.1\r\n" + line + b"content-length: 1000000000\r\n\r\n")
    await asyncio.wait(state.tasks)
    assert wire.written.endswith(b"too large")
    return connection, wire


async def test_behind_an_early_last_answer_is_read_on_and_nothing_of_it_heeded() -> None:
    connection, wire = await early()
    written = wire.written
    assert (wire.ended, wire.closed) == (True, False)
    connection.data_received(b"b" * 70_000 + b"\r\n\r\nGET /b HTTP/1.1\r\nhost: h\r\n\r\n")
    assert (wire.closed, wire.written, len(connection.tasks)) == (False, written, 0)
    assert not connection.eof_received(), "the transport then closes by itself"


async def test_an_early_last_answer_is_waited_behind_for_some_seconds_only() -> None:
    connection, wire = await early()
    for _ in range(LINGER_SECONDS):
        assert not wire.closed
        connection.data_received(b"b")
        connection.tick()
    assert wire.closed


@pytest.mark.parametrize("closing", [True, False])
async def test_no_more_than_some_bytes_are_read_behind_an_early_answer(closing: bool) -> None:
    connection, wire = await early(closing=closing)
    for _ in range(LINGER_BYTES // 65_536):
        connection.data_received(b"b" * 65_536)
    assert not wire.closed
    connection.data_received(b"b")
    assert wire.closed


async def test_behind_a_whole_request_that_wants_to_close_nothing_is_waited_for() -> None:
    state = ServerState()
    connection, wire = connected(state)
    connection.data_received(b"GET /a HTTP/1.1\r\nconnection: close\r\n\r\n")
    await asyncio.wait(state.tasks)
    assert (wire.closed, wire.ended) == (True, False)


async def test_a_request_behind_too_many_that_wait_is_refused_when_those_are_answered() -> None:
    state = ServerState()
    connection, wire = connected(state)
    asked = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n"
    connection.data_received(asked * (PIPELINED_MAX + 100))
    assert len(connection.pipeline) <= PIPELINED_MAX + 1
    while state.tasks:
        await asyncio.wait(state.tasks)
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", wire.written)
    assert statuses == [b"200"] * (PIPELINED_MAX + 1) + [b"503"]
