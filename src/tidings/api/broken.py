"""What callers are told while an application cannot run, and `tidings run --reload` waits until its source changes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tidings.api.answer import Receive, Scope, Send
from tidings.api.listening import Http
from tidings.api.paths import whole_path
from tidings.api.problems import Problem, Refusal, answer_to


@asynccontextmanager
async def answering(listening: socket.socket, why: str) -> AsyncIterator[None]:
    """While the block runs, answer every request that comes to this socket with 503 and the reason."""
    server = Http(partial(_tell, why), lambda: None, lambda _: None)
    work = asyncio.create_task(server.listen(listening.dup()))
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await work


async def _tell(why: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the problem `not-running`, with a reason that only whoever changes the source is there to read."""
    refusal = Refusal(Problem.NOT_RUNNING, why, (b"connection", b"close"))
    await answer_to(refusal, instance=whole_path(scope))(scope, receive, send)
