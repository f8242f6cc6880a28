from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidings.supervisor import Supervisor

WAITS_FOR_ITS_END = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield bound


async def test_a_worker_that_is_begun_while_the_signal_comes_is_ended(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal is handled when the process is there already, and the supervisor has not been given it yet."""
    begun: list[Process] = []
    begin = asyncio.create_subprocess_exec
    supervisor = Supervisor(WAITS_FOR_ITS_END, os.environ, count=1, listening=listening, say=print)

    async def begin_and_be_told_to_stop(*command: str, **how: Any) -> Process:
        begun.append(await begin(*command, **how))
        os.kill(os.getpid(), signal.SIGTERM)
        while not supervisor._is_stopping:
            await asyncio.sleep(0)
        return begun[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", begin_and_be_told_to_stop)
    try:
        async with asyncio.timeout(30):
            assert await supervisor.run(on_ready=lambda: None) == 0
        assert [process.returncode for process in begun] == [-signal.SIGTERM]
    finally:
        for process in begun:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.mark.parametrize("ends", ["os.kill(os.getpid(), 15)", "sys.exit(1)"])
async def test_a_worker_that_a_change_finds_while_it_begins_is_begun_again(
    listening: socket.socket, tmp_path: Path, ends: str
) -> None:
    """Whether the change ends it, or it fails over a source that was half written and is whole by now."""
    begun = tmp_path / "begun"
    program = f"import os, sys, time; open({str(begun)!r}, 'a').write('x'); time.sleep(0.5); {ends}"
    supervisor = Supervisor([sys.executable, "-c", program], os.environ, count=1, listening=listening, say=print)

    async def changes() -> AsyncIterator[str]:
        while not begun.exists():
            await asyncio.sleep(0.01)
        yield "shop.py changed"
        while begun.stat().st_size < 2:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    async with asyncio.timeout(30):
        await supervisor.run(on_ready=lambda: None, changes=changes())
    assert begun.read_text() == "xx"


async def test_workers_have_the_environment_that_was_given_for_them(listening: socket.socket, tmp_path: Path) -> None:
    told = tmp_path / "told"
    tell = f"import os, pathlib; pathlib.Path({str(told)!r}).write_text(str(dict(os.environ))); os._exit(3)"
    environ = {"TIDINGS_CONSOLE": "off"}
    supervisor = Supervisor([sys.executable, "-c", tell], environ, count=1, listening=listening, say=print)
    assert await supervisor.run(on_ready=lambda: None) == 3
    assert "'TIDINGS_CONSOLE': 'off'" in told.read_text()
    assert "PYTEST_CURRENT_TEST" not in told.read_text()
