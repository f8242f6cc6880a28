"""Whoever is cut off while its request is being committed is told that nobody knows, on every back end."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

PROGRAM = """
import pathlib, sys, time
from tidings import App, Context, Service, Settings, event
from tidings.api.serve import run
from tidings.ports import Ports

@event("gate-reached", version=1, subject="gate")
class GateReached:
    gate: str

gates = Service("gates")

@gates.on(GateReached)
async def pass_gate(event: GateReached, ctx: Context) -> None: ...

class SlowDisk:
    def at(self, name: str) -> None:
        if name == "unit:commit-sent" and pathlib.Path("slow").exists():
            pathlib.Path("committing").touch()
            time.sleep(1)

points = {"points": SlowDisk()} if sys.argv[1].startswith("sqlite") else {}
settings = Settings(database_url=sys.argv[1], port=0)
sys.exit(run(App(gates), settings, Ports(**points), lambda url: print(url, flush=True)))
"""
SLOW = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON tidings.kept_answer DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION slowly();
"""
COMMITTING = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE 'COMMIT%' AND state = 'active')"
)
EVENT = b"ce-specversion: 1.0\r\nce-source: test\r\nce-type: gate-reached\r\n"
Asked = tuple[bytes, bytes, bytes]
REQUESTS: tuple[Asked, ...] = ((b"/events", EVENT, b'{"gate":"a"}'), (b"/dead-letters/redrive", b"", b"{}"))


@asynccontextmanager
async def started(folder: Path, database: str) -> AsyncIterator[tuple[Process, str]]:
    (folder / "gates.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, "-W", "error", "gates.py", database]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process, (await process.stdout.readline()).decode().strip()
        assert b"Traceback" not in await process.stderr.read()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def cut(process: Process, url: str, request: Asked, is_there: Callable[[], Awaitable[bool]]) -> bytes:
    """Send the request under a key; at its COMMIT end the server by a second signal; return the answer."""
    path, headers, body = request
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST %b HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k\r\n" % path + headers)
    writer.write(b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    waiting = asyncio.create_task(reader.read(1))
    while not await is_there():
        await asyncio.wait([waiting], timeout=0.01)
        assert not waiting.done(), waiting.result() + await reader.read(600)
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.05)  # two that come at once are one
    answer = await waiting + await reader.read()
    writer.close()
    await writer.wait_closed()
    assert await process.wait() == 128 + signal.SIGTERM
    return answer


def is_told(answer: bytes) -> None:
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in answer
    assert b"nobody knows whether it was kept" in answer


@pytest.mark.parametrize("request_", REQUESTS, ids=["events", "redrive"])
async def test_a_request_under_a_key_that_is_cut_off_in_its_commit_is_told_so_on_sqlite(
    tmp_path: Path, request_: Asked
) -> None:
    async def is_committing() -> bool:
        return (tmp_path / "committing").exists()

    async with started(tmp_path, "sqlite:///gates.db") as (process, url):
        (tmp_path / "slow").touch()
        is_told(await cut(process, url, request_, is_committing))


@pytest.mark.parametrize("request_", REQUESTS, ids=["events", "redrive"])
async def test_a_request_under_a_key_that_is_cut_off_in_its_commit_is_told_so_on_postgresql(
    tmp_path: Path, postgres_url: str, request_: Asked
) -> None:
    other = await asyncpg.connect(postgres_url)
    try:
        await other.execute(SLOW)

        async def is_committing() -> bool:
            return bool(await other.fetchval(COMMITTING))

        async with started(tmp_path, postgres_url) as (process, url):
            is_told(await cut(process, url, request_, is_committing))
    finally:
        await other.close()
