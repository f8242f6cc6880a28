"""What is due to an endpoint that is polled, posted to a URL near by, as a push would have been."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tidings.operations.polling import Polled, Polling
from tidings.store.endpoint_deliveries import Result
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.posting import Sends

PAGE = 10
"""Few, since they are signed when they are read, and receivers refuse what was signed long ago."""
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """One delivery that was posted. `result`: what becomes of it."""

    polled: Polled
    seen: Answer | Failure
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaying:
    """Posts to `url` and settles each delivery by what is answered: what fails is due again by the schedule."""

    polling: Polling
    sender: Sends
    url: str
    sleep: Callable[[float], Awaitable[None]]

    async def run(self, endpoint: str, told: Callable[[Relayed], None], stopping: asyncio.Event) -> None:
        """Relay until `stopping` is set, once the delivery under way is settled. Errors as of `Polling.page`."""
        while not stopping.is_set():
            page = await self.polling.page(endpoint, limit=PAGE)
            for each in page.deliveries:
                if stopping.is_set():
                    return
                seen = await self.sender.send(self.url, each.request.headers, each.request.body)
                result = await self.polling.answered(endpoint, each, seen)
                told(Relayed(polled=each, seen=seen, result=result))
            if not page.deliveries:
                await self._rest(stopping)

    async def _rest(self, stopping: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(self.sleep(LOOK_SECONDS)), asyncio.ensure_future(stopping.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
