"""Whether an application can do its work: what `/readyz` answers, and what the command line tells an operator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from tidings.consumers.leases import TTL
from tidings.log.log import Log
from tidings.operations.standstill import Standstill
from tidings.ports import Ports, this_process
from tidings.services.service import Service
from tidings.store.driver import StoreDriver
from tidings.store.host import Check, Host
from tidings.views.tables import standing

ANSWER_SECONDS = 2.0
WRITE_SECONDS = 5.0  # a handler may hold the only writer for a while, and that is no fault


class Checks:
    """Looks whether all is well, as often as it is asked. `services`: those of the application at hand, None if there
    is none.

    What an operator paused, and what is parked or dead, is no problem here: requests can be served all the same.
    """

    def __init__(
        self, host: Host, log: Log, store: StoreDriver, ports: Ports, services: Sequence[Service] | None
    ) -> None:
        self._host = host
        self._log = log
        self._store = store
        self._clock = ports.clock
        self._services = services
        self._standstill = Standstill(log, store, ports.clock, services)

    async def run(self) -> tuple[Check, ...]:
        """Return the checks in order: settings, log, store, then schema, leases and checkpoints if both answer."""
        answering = await asyncio.gather(
            _look("log", self._log.head(), seconds=ANSWER_SECONDS),
            _look("store", self._store.consumers(), seconds=ANSWER_SECONDS),
        )
        first = (Check("settings", await self._host.problem()), *answering)
        if any(check.problem is not None for check in answering):
            return first
        return (
            *first,
            await _look("schema", self._schema(), seconds=ANSWER_SECONDS),
            await _look("leases", self._leases(), seconds=WRITE_SECONDS),
            await _look("checkpoints", self._standstill.look(), seconds=ANSWER_SECONDS),
        )

    async def _schema(self) -> str | None:
        """Say which views have no table that this release can read."""
        records = await self._store.views()
        views = (view for service in self._services or () for view in service.views if view.mode != "live")
        missing = [f"{view.service}.{view.name}" for view in views if standing(view, records).step == "create"]
        have, them = ("has", "it") if len(missing) == 1 else ("have", "them")
        return f"{', '.join(missing)} {have} no table yet: `tidings run` makes {them}" if missing else None

    async def _leases(self) -> str | None:
        """Ask for no lease at all, of nobody: it takes what a lease takes, a transaction that may write."""
        await self._store.claim("", owner=this_process(), want=0, ttl=TTL)
        return None


async def _look(name: str, question: Awaitable[object], *, seconds: float) -> Check:
    """Return what a question is answered with, if that is a problem, or why it is not answered."""
    try:
        async with asyncio.timeout(seconds):
            found = await question
    except TimeoutError:
        return Check(name, f"no answer within {seconds:g} s")
    except Exception as error:
        return Check(name, f"{type(error).__name__}: {error}")
    return Check(name, found if isinstance(found, str) else None)
