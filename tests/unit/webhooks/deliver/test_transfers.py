"""What the selector is told of libcurl's sockets."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.webhooks.deliver.parties import LOOPBACK, OK, Party, listening, request
from tidings.ports import SystemClock
from tidings.webhooks.deliver.answer import Answer
from tidings.webhooks.deliver.sending import Sender

KEPT = OK.replace(b"Connection: close\r\n", b"")
Told = list[tuple[str, int]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What every selector is told from now on."""
    found: Told = []

    def noting(was: Callable[..., Any]) -> Callable[..., Any]:
        def noted(self: Any, number: int, *rest: Any) -> Any:
            found.append((was.__name__, number))
            return was(self, number, *rest)

        return noted

    for name in ("register", "unregister"):
        monkeypatch.setattr(selectors.DefaultSelector, name, noting(getattr(selectors.DefaultSelector, name)))
    return found


async def ask(sender: Sender, party: Party) -> None:
    assert isinstance(await sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}"), Answer)


async def test_a_socket_is_watched_once_for_all_requests_on_it(told: Told) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(KEPT)
            await request(reader)

    async with listening(speak=speak) as party, Sender(SystemClock(), LOOPBACK) as sender:
        await ask(sender, party)
        before = [*told]
        for _ in range(3):
            await ask(sender, party)
        assert told == before
        assert party.connections == 1


async def test_a_connection_that_ends_while_nobody_waits_for_it_is_looked_at_once(told: Told) -> None:
    async with listening(speak=KEPT) as party, Sender(SystemClock(), LOOPBACK) as sender:
        await ask(sender, party)
        number = told[-1][1]
        while told[-1] != ("unregister", number):
            await asyncio.sleep(0.001)
        await ask(sender, party)
        assert party.connections == 2


async def test_the_number_of_a_socket_that_was_closed_is_watched_anew(told: Told) -> None:
    async with listening(speak=OK) as party, Sender(SystemClock(), LOOPBACK) as sender:
        await ask(sender, party)
        del told[:]
        await ask(sender, party)  # on what most likely has the number of the first one
        assert "register" in [what for what, _ in told]
