"""The tests' own servers: what is committed outlives a crash, and nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from tests.postgres.binaries import NEWEST, version_of
from tests.postgres.server import Server, own

ENDS_WITHIN = 20.0
ROOT = Path(__file__).resolve().parents[2]


async def answer(server: Server, question: str) -> object:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_a_killed_server_starts_again_at_its_port_with_all_that_was_committed() -> None:
    with own(NEWEST) as server:
        assert NEWEST.startswith(version_of(server.binaries))
        assert await answer(server, "SHOW fsync") == "on"
        await answer(server, "CREATE TABLE number AS SELECT 1 AS n")
        url = server.url("postgres")
        for end in (server.kill, server.stop):
            end()
            server.start("work_mem=1234kB")
            assert server.url("postgres") == url
            assert await answer(server, "SELECT n FROM number") == 1
            assert await answer(server, "SHOW work_mem") == "1234kB"
        folder, pid = server.folder, server.pid
    assert not folder.exists()
    assert not is_running(pid)


def test_a_server_ends_with_the_process_that_uses_it_however_that_ends() -> None:
    using = f"""
from tests.postgres.server import shared
server = shared({NEWEST!r})
print(server.pid, server.folder, flush=True)
input()
"""
    run = {**os.environ, "PYTEST_XDIST_TESTRUNUID": f"ends-{os.getpid()}"}
    pipe = subprocess.PIPE
    users = [
        subprocess.Popen([sys.executable, "-c", using], cwd=ROOT, env=run, stdin=pipe, stdout=pipe, text=True)
        for _ in range(2)
    ]
    said = [user.stdout.readline().split() for user in users if user.stdout]
    assert said[0] == said[1]
    pid, folder = int(said[0][0]), Path(said[0][1])
    users[0].send_signal(signal.SIGKILL)
    users[0].communicate()
    assert is_running(pid)
    users[1].send_signal(signal.SIGKILL)
    users[1].communicate()
    end = time.monotonic() + ENDS_WITHIN
    while (is_running(pid) or folder.exists()) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_running(pid)
    assert not folder.exists()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
