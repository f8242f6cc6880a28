"""How a server ends: in order at the first signal, at once at the second, and never with half a page."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from itertools import count
from pathlib import Path

import aiohttp
import pytest

PROGRAM = """
import asyncio, os, sys
from tidings import App, Context, Service, Settings, event
from tidings.api.serve import run
from tidings.ports import Ports

@event("gate-reached", version=1, subject="gate")
class GateReached:
    gate: str

gates = Service("gates")

@gates.view(key=("gate",))
class Passed:
    gate: str

@gates.on(GateReached)
async def pass_gate(event: GateReached, ctx: Context) -> None:
    await ctx.put(Passed(event.gate))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    try:
        writer.write(event.gate.encode() + b"\\n")
        await reader.readline()
    finally:
        writer.close()

settings = Settings(database_url="sqlite:///gates.db", port=0, shutdown_grace=float(sys.argv[2]))
sys.exit(run(App(gates), settings, Ports(), lambda url: print(url, flush=True)))
"""


class Gate:
    """What the handler connects to, and stands before until it is opened."""

    def __init__(self) -> None:
        self.standing: asyncio.Queue[tuple[str, StreamWriter]] = asyncio.Queue()

    async def came(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.standing.put_nowait(((await reader.readline()).decode().strip(), writer))
        await reader.read()
        writer.close()

    async def open(self, writer: StreamWriter) -> None:
        writer.write(b"go\n")
        await writer.drain()


class Place:
    """A folder with the program, its database, and the gate."""

    def __init__(self, folder: Path, gate: Gate, port: int) -> None:
        self.folder = folder
        self.gate = gate
        self.port = port

    @asynccontextmanager
    async def started(self, *, grace: float = 25) -> AsyncIterator[tuple[Process, str]]:
        file = self.folder / "gates.py"
        file.write_text(PROGRAM)
        command = [sys.executable, "-W", "error", str(file), str(self.port), str(grace)]
        process = await asyncio.create_subprocess_exec(*command, cwd=self.folder, stdout=PIPE, stderr=PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            url = (await process.stdout.readline()).decode().strip()
            assert url, (await process.stderr.read()).decode()
            yield process, url
            assert b"Traceback" not in await process.stderr.read()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def passed(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "gates.db")) as connection:
            return [gate for (gate,) in connection.execute("SELECT gate FROM gates_passed ORDER BY gate")]

    def owners(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "gates.db")) as connection:
            return [owner for (owner,) in connection.execute("SELECT owner FROM tidings_checkpoint") if owner]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    gate = Gate()
    server = await asyncio.start_server(gate.came, "127.0.0.1", 0)
    async with server:
        yield Place(tmp_path, gate, server.sockets[0].getsockname()[1])


async def reach(url: str, gate: str) -> int:
    headers = {"ce-type": "gate-reached", "content-type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{url}/events/test/{gate}", headers=headers, json={"gate": gate}) as answer,
    ):
        return answer.status


class Raw:
    """One connection, on which a request can stop half-way."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, url: str) -> Raw:
        host, _, port = url.removeprefix("http://").rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def begin_put(self, gate: str) -> bytes:
        """Send all but the body, which is returned, and come back when the server waits for it."""
        body = f'{{"gate":"{gate}"}}'.encode()
        head = f"PUT /events/test/{gate} HTTP/1.1\r\nhost: localhost\r\nce-type: gate-reached\r\n"
        more = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n"
        await self.send((head + more).encode())
        assert await self.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        return body

    async def send(self, text: bytes) -> None:
        self.writer.write(text)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """Return what comes until the server closes."""
        answer = await self.reader.read()
        self.writer.close()
        await self.writer.wait_closed()
        return answer


async def is_alive(url: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as answer:
        return answer.status == 200


async def refuses(url: str) -> None:
    """Come back when nobody listens there any more."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            await writer.wait_closed()
        except ConnectionRefusedError:
            return
        except ConnectionError:
            continue  # it was accepted on the last moment, and closed with the listener


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_ends_the_page_and_the_waits_and_begins_nothing_new(
    place: Place, number: signal.Signals
) -> None:
    async with place.started() as (process, url):
        assert await reach(url, "a") == 201
        name, writer = await place.gate.standing.get()
        reading, putting = await Raw.to(url), await Raw.to(url)
        await reading.send(b"GET /events?type=x HTTP/1.1\r\nhost: localhost\r\nprefer: wait=30\r\n\r\n")
        await putting.send(await putting.begin_put("b"))
        assert await is_alive(url)
        process.send_signal(number)
        assert (await reading.answer()).startswith(b"HTTP/1.1 200")
        await refuses(url)
        assert (name, process.returncode) == ("a", None)
        await place.gate.open(writer)
        assert (await putting.answer()).startswith(b"HTTP/1.1 201")
        assert await process.wait() == 0
    assert place.gate.standing.empty()
    assert (place.passed(), place.owners()) == (["a"], [])


async def test_sigterm_loses_nothing_and_ends_in_time(place: Place) -> None:
    kept: set[str] = set()

    async def publish(url: str, who: int) -> None:
        with suppress(aiohttp.ClientError):
            for n in count():
                if await reach(url, f"{who}-{n}") != 201:
                    return
                kept.add(f"{who}-{n}")

    async def let_all_through() -> None:
        while True:
            with suppress(ConnectionError):
                await place.gate.open((await place.gate.standing.get())[1])

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(let_all_through())
        async with place.started() as (process, url):
            for who in range(4):
                tasks.create_task(publish(url, who))
            while len(kept) < 40:
                await asyncio.sleep(0.01)
            process.terminate()
            assert await process.wait() == 0, "it would be 1 after the grace"
        async with place.started() as (process, url), aiohttp.ClientSession() as session:
            async with session.get(f"{url}/events?limit=1000") as answer:
                assert kept <= {entry["event"]["id"] for entry in (await answer.json())["entries"]}
            process.terminate()
            assert await process.wait() == 0
        opening.cancel()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_second_signal_rolls_back_and_ends_at_once(place: Place, number: signal.Signals) -> None:
    async with place.started() as (process, url):
        assert await reach(url, "a") == 201
        await place.gate.standing.get()
        process.send_signal(number)
        await refuses(url)
        process.send_signal(number)
        assert await process.wait() == 128 + number
    assert place.passed() == []
    async with place.started() as (process, url):
        name, writer = await place.gate.standing.get()
        assert name == "a"
        await place.gate.open(writer)
        process.terminate()
        assert await process.wait() == 0
    assert place.passed() == ["a"]


async def test_the_second_signal_is_a_problem_to_the_requests_under_way(place: Place) -> None:
    async with place.started() as (process, url):
        putting = await Raw.to(url)
        await putting.begin_put("c")
        process.terminate()
        await refuses(url)
        process.terminate()
        head, _, body = (await putting.answer()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert {b"retry-after: 1", b"content-type: application/problem+json"} <= set(head.split(b"\r\n"))
        assert b"urn:tidings:problem:log-unavailable" in body
        assert await process.wait() == 128 + signal.SIGTERM


async def test_what_does_not_end_in_its_time_is_rolled_back(place: Place) -> None:
    async with place.started(grace=0.3) as (process, url):
        assert await reach(url, "a") == 201
        await place.gate.standing.get()
        process.terminate()
        assert await process.wait() == 1
    assert place.passed() == []


async def test_a_request_under_way_is_answered_before_the_end(place: Place) -> None:
    async with place.started() as (process, url):
        putting = await Raw.to(url)
        body = await putting.begin_put("c")
        process.terminate()
        await refuses(url)
        await putting.send(body)
        answer = await putting.answer()
        assert answer.startswith(b"HTTP/1.1 201")
        assert b"connection: close" in answer
        assert await process.wait() == 0
    assert place.passed() == []
