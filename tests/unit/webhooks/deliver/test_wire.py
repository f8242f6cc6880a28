"""Connections that are used again: only where all of the last answer came, and nothing that nobody asked for."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.webhooks.deliver.parties import LOOPBACK, Names, Party, Speaking, certified, listening, request
from tidings.ports import SystemClock
from tidings.webhooks.deliver.answer import Answer
from tidings.webhooks.deliver.kept import Kept
from tidings.webhooks.deliver.sending import Limits, Sender

PATIENT = Limits(total_s=20, connect_s=5)
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


def each(*answers: bytes) -> Speaking:
    """Answer the requests of a connection one after the other, then read on."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, answer in enumerate(answers):
            if number:
                await request(reader)
            writer.write(answer)
            await writer.drain()
        await reader.read()

    return speak


async def sent(party: Party, times: int) -> list[Answer]:
    found = []
    async with Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        for _ in range(times):
            result = await sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}")
            assert isinstance(result, Answer), result
            found.append(result)
    return found


async def test_an_answer_that_nobody_asked_for_is_nobodys() -> None:
    async with listening(speak=each(TAKEN + REFUSED, TAKEN)) as party:
        found = await sent(party, 2)
    assert [each.status for each in found] == [200, 200]
    assert party.connections == 2


async def test_an_answer_that_comes_later_unasked_is_nobodys() -> None:
    said, went_on = asyncio.Event(), asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)
        await said.wait()
        writer.write(REFUSED)
        await reader.read()
        went_on.set()  # the sender closed it as that came

    async with listening(speak=speak) as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        url = f"http://127.0.0.1:{party.port}/"
        first = await sender.send(url, [], b"{}")
        said.set()
        await asyncio.wait_for(went_on.wait(), 20)
        second = await sender.send(url, [], b"{}")
    assert [first.status, second.status] == [200, 200]  # type: ignore[union-attr]
    assert party.connections == 2


async def test_a_receiver_that_says_close_is_dialled_anew() -> None:
    async with listening(speak=each(TAKEN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), TAKEN)) as party:
        await sent(party, 2)
    assert party.connections == 2


async def test_an_answer_that_was_cut_ends_its_connection() -> None:
    huge = b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000
    async with listening(speak=each(huge, TAKEN)) as party:
        [first, _] = await sent(party, 2)
    assert first.body.truncated
    assert party.connections == 2


async def test_what_was_cancelled_leaves_no_answer_to_the_next() -> None:
    went_on = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if party.connections == 1:
            await went_on.wait()
            writer.write(REFUSED)
        else:
            writer.write(TAKEN)
        await reader.read()

    async with listening(speak=speak) as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        url = f"http://127.0.0.1:{party.port}/"
        first = asyncio.create_task(sender.send(url, [], b"{}"))
        while not party.requests:
            await asyncio.sleep(0.01)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        went_on.set()
        result = await sender.send(url, [], b"{}")
    assert isinstance(result, Answer)
    assert (result.status, party.connections) == (200, 2)


async def test_a_body_that_ends_with_its_connection_is_whole() -> None:
    async with listening(speak=b"HTTP/1.1 200 OK\r\n\r\nall of it") as party:
        [result] = await sent(party, 1)
    assert (result.body.text, result.body.truncated, result.cut) == ("all of it", False, None)


async def test_what_is_said_meanwhile_is_not_the_answer() -> None:
    interim = b"HTTP/1.1 102 Processing\r\nX-Meanwhile: 1\r\n\r\n" * 3
    async with listening(speak=each(interim + TAKEN, TAKEN)) as party:
        found = await sent(party, 2)
    assert [(each.status, each.headers) for each in found] == [(200, (("content-length", "0"),))] * 2
    assert party.connections == 1


async def test_chunks_are_put_together_and_the_connection_is_used_again() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with listening(speak=each(chunked, chunked)) as party:
        found = await sent(party, 2)
    assert [(each.body.text, each.cut) for each in found] == [("abc", None)] * 2
    assert party.connections == 1


async def test_a_connection_under_tls_is_used_again(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "receiver.example")
    async with (
        listening(speak=each(TAKEN, TAKEN), tls=server) as party,
        Sender(SystemClock(), LOOPBACK, limits=PATIENT, tls=client, resolver=Names(["127.0.0.1"])) as sender,
    ):
        found = [await sender.send(f"https://receiver.example:{party.port}/", [], b"{}") for _ in range(2)]
    assert [isinstance(each, Answer) and each.status for each in found] == [200, 200]
    assert party.connections == 1


async def test_through_a_tunnel_the_receiver_is_spoken_to_under_tls(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "receiver.example")
    async with listening(speak=each(TAKEN, TAKEN), tls=server) as party:

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner, outer = await asyncio.open_connection("127.0.0.1", party.port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pass(reader, outer), _pass(inner, writer))

        async with (
            listening("127.0.0.2", speak=tunnel) as proxy,
            Sender(
                SystemClock(), limits=PATIENT, tls=client, proxy=f"http://user:word@127.0.0.2:{proxy.port}"
            ) as sender,
        ):
            found = [await sender.send("https://receiver.example/hook", [], b"{}") for _ in range(2)]
    assert [isinstance(each, Answer) and each.status for each in found] == [200, 200]
    assert (proxy.connections, party.connections) == (1, 1)
    assert proxy.requests[0].startswith(b"CONNECT receiver.example:443 HTTP/1.1\r\n")
    assert b"roxy-Authorization: Basic" in proxy.requests[0]
    assert party.requests[0].startswith(b"POST /hook HTTP/1.1\r\n")
    assert b"roxy-" not in party.requests[0]
    assert not any(each.is_private for each in found if isinstance(each, Answer))  # though its proxy is


@pytest.mark.parametrize("proxied", [False, True])
async def test_an_answer_from_a_private_address_says_so(*, proxied: bool) -> None:
    async with listening(speak=each(TAKEN, TAKEN)) as party:
        proxy = f"http://127.0.0.1:{party.port}" if proxied else None
        async with Sender(SystemClock(), LOOPBACK, limits=PATIENT, proxy=proxy) as sender:
            found = [await sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}") for _ in range(2)]
    assert [isinstance(each, Answer) and each.is_private for each in found] == [True, True]


async def test_a_proxy_without_a_tunnel_is_told_who_asks() -> None:
    async with (
        listening("127.0.0.2", speak=each(TAKEN, TAKEN)) as proxy,
        Sender(SystemClock(), LOOPBACK, limits=PATIENT, proxy=f"http://user:word@127.0.0.2:{proxy.port}") as sender,
    ):
        found = [await sender.send("http://receiver.example/hook", [], b"{}") for _ in range(2)]
    assert [isinstance(each, Answer) and each.status for each in found] == [200, 200]
    asked = b"Proxy-Authorization: Basic " + base64.b64encode(b"user:word")
    assert asked in proxy.requests[0]
    assert proxy.requests[0].startswith(b"POST http://receiver.example/hook HTTP/1.1\r\nHost: receiver.example\r\n")


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
    finally:
        writer.transport.abort()


class Line:
    """See `tidings.webhooks.deliver.kept.Closes`."""

    def __init__(self) -> None:
        self.is_usable = True
        self.closed = asyncio.Event()

    def close(self) -> None:
        self.is_usable = False
        self.closed.set()


async def test_the_connection_that_was_used_last_is_taken_first() -> None:
    kept: Kept[Line] = Kept(60)
    first, second = Line(), Line()
    kept.put("a", first)
    kept.put("a", second)
    assert kept.take("b") is None
    assert [kept.take("a"), kept.take("a"), kept.take("a")] == [second, first, None]


async def test_a_connection_that_ended_meanwhile_is_not_taken() -> None:
    kept: Kept[Line] = Kept(60)
    line = Line()
    kept.put("a", line)
    line.is_usable = False
    assert kept.take("a") is None


@pytest.mark.parametrize("seconds", [0.0, 0.01])
async def test_an_idle_connection_is_closed_before_its_receiver_closes_it(seconds: float) -> None:
    kept: Kept[Line] = Kept(seconds)
    line = Line()
    kept.put("a", line)
    await asyncio.wait_for(line.closed.wait(), 20)
    assert kept.take("a") is None
