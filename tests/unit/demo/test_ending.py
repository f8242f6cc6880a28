"""A demonstration that is ended early leaves no server behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidings.demo.plan import Plan
from tidings.demo.run import Demo
from tidings.demo.server import Place
from tidings.operations.progress import unwatched
from tidings.ports import Ports


@pytest.fixture
def ignored() -> Iterator[None]:
    """The end of the terminal is ignored, as under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


async def started(folder: Path) -> tuple[Demo, asyncio.Task[object]]:
    demo = Demo(Plan.draw(7, events=20), Place(folder), Ports(), unwatched)
    task: asyncio.Task[object] = asyncio.create_task(demo.run())
    await asyncio.sleep(0)  # up to its first wait, which is for the server that was begun
    return demo, task


def has_ended(demo: Demo) -> bool:
    first = demo.servers.processes[0]  # the others had not begun
    return first._process is not None and not any(each.runs for each in demo.servers.processes)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
async def test_what_ends_it_ends_its_server_which_may_still_be_starting(tmp_path: Path, number: signal.Signals) -> None:
    demo, task = await started(tmp_path)
    os.kill(os.getpid(), number)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert has_ended(demo)


@pytest.mark.usefixtures("ignored")
async def test_an_end_of_the_terminal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    demo, task = await started(tmp_path)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert has_ended(demo)


async def test_a_command_that_nobody_waits_for_any_more_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    begin = asyncio.create_subprocess_exec

    async def noted(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        begun.put_nowait(process := await begin(*arguments, **options))
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    asking = asyncio.create_task(Place(tmp_path).ask("version"))
    process = await begun.get()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert process.returncode == -signal.SIGKILL
