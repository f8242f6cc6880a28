"""The lifespan protocol of ASGI: something is held open from the server's start to its end."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager

from tidings.api.answer import Receive, Send
from tidings.errors import TidingsError

_log = logging.getLogger("tidings.api")


async def live(receive: Receive, send: Send, held: AbstractAsyncContextManager[object]) -> None:
    """Enter `held` at the startup message and leave it at shutdown, and tell the server how either went."""
    await receive()
    stage = "startup"
    try:
        async with held:
            await send({"type": "lifespan.startup.complete"})
            stage = "shutdown"
            await receive()
    except Exception as error:
        if not isinstance(error, TidingsError):
            _log.exception("%s failed", stage)
        await send({"type": f"lifespan.{stage}.failed", "message": f"{type(error).__name__}: {error}"})
    else:
        await send({"type": "lifespan.shutdown.complete"})
