"""On an event loop that watches no sockets, as on Windows: nothing is sent, that is said, and nothing is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.webhooks.deliver.desk import desk, eventually, sink
from tidings.errors import SettingError
from tidings.ports import SystemClock
from tidings.webhooks.deliver.dispatcher import Dispatcher
from tidings.webhooks.deliver.sending import Sender


class Unwatched(asyncio.SelectorEventLoop):
    """What `asyncio.ProactorEventLoop` says when it is asked to watch a socket."""

    def add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> None:
        raise NotImplementedError


def test_what_is_due_is_kept_unattempted_and_why_is_told_until_another_loop_sends_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"

    async def kept() -> None:
        async with desk(url) as at:
            await at.add("http://127.0.0.1:9/")
            await at.say("1")
            await eventually(lambda: told(at.opened.crew))
            assert [(row["state"], row["attempts"]) for row in await at.rows()] == [("due", 0)]

    async def told(crew: Any) -> bool:
        return "watches no sockets" in crew.failing.get(Dispatcher.name, "")

    async def sent() -> None:
        async with sink() as to, desk(url) as at:
            await at.endpoints.change("e", {"url": to.url()})
            [row] = await at.until("delivered")
            assert row["attempts"] == 1

    with asyncio.Runner(loop_factory=Unwatched) as runner:
        runner.run(kept())
    with asyncio.Runner() as runner:
        runner.run(sent())


def test_a_sender_is_not_made_there() -> None:
    async def made() -> None:
        Sender(SystemClock())

    with asyncio.Runner(loop_factory=Unwatched) as runner, pytest.raises(SettingError, match="Linux or macOS"):
        runner.run(made())
