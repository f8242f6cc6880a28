"""Everything that runs beside the requests of an open application, begun, watched and stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Protocol

from tidings.app.tables import Carrying
from tidings.consumers.faults import PASSING
from tidings.consumers.retry import told
from tidings.ports import Ports
from tidings.views.declaration import ViewSpec

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 1.0
AGAIN_SECONDS_MAX = 60.0
_log = logging.getLogger("tidings.app")


class Runner(Protocol):
    """Something that runs until it is told to stop."""

    @property
    def name(self) -> str: ...

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping` is set; then finish what is under way, let go of it, and return."""


class Crew:
    """Runs the consumers there must be, the rebuilds that are due, and `others`.

    One that fails is begun again, and so is one that ends without being asked to, whatever ended it. `held`: tells
    which consumers may not read yet, and why.
    """

    def __init__(
        self,
        carrying: Carrying,
        others: Sequence[Runner],
        ports: Ports,
        *,
        held: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._held = held
        self._carrying = carrying
        self._others = tuple(others)
        self._clock = ports.clock
        self._failing: dict[str, str] = {}
        self._begun: dict[str, float] = {}
        self._is_cancelled = False
        self._running: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}

    @property
    def failing(self) -> Mapping[str, str]:
        """Who has failed and not run well for a minute since, pauses as too much fails, or may not read yet; why."""
        return MappingProxyType({**self._held(), **self._carrying.pausing, **self._failing})

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep everything running until `stopping` is set; cancelling stops at once, and rolls back."""
        for runner in self._others:
            self._begin(runner)
        try:
            while not stopping.is_set():
                await self._look()
                await _rest(stopping, LOOK_SECONDS)
        except BaseException:
            self._is_cancelled = True
            for _, task in self._running.values():
                task.cancel()
            raise
        finally:
            await self._stop(list(self._running))

    async def _look(self) -> None:
        """Begin what is wanted and does not run; stop what runs and is not wanted any more."""
        try:
            wanted: dict[str, Runner] = {**await self._carrying.consumers()}
            for view in await self._carrying.changed():
                rebuild = _Rebuild(view, self._carrying)
                wanted[rebuild.name] = rebuild
        except Exception as error:
            if "tables" not in self._failing:
                _tell(error)
            self._failing["tables"] = f"{type(error).__name__}: {error}"
            return
        self._failing.pop("tables", None)
        self._forgive()
        kept = {runner.name for runner in self._others} | wanted.keys()
        await self._stop([name for name in self._running if name not in kept])
        for runner in wanted.values():
            self._begin(runner)

    def _begin(self, runner: Runner) -> None:
        if runner.name not in self._running:
            stopping = asyncio.Event()
            task = asyncio.create_task(self._keep_running(runner, stopping), name=runner.name)
            self._running[runner.name] = stopping, task

    async def _stop(self, names: Sequence[str]) -> None:
        ended = [self._running.pop(name) for name in names]
        for stopping, _ in ended:
            stopping.set()
        await asyncio.gather(*(task for _, task in ended), return_exceptions=True)

    def _forgive(self) -> None:
        well = self._clock.monotonic() - AGAIN_SECONDS_MAX
        for name in [name for name, begun in self._begun.items() if begun < well]:
            self._failing.pop(name, None)

    async def _keep_running(self, runner: Runner, stopping: asyncio.Event) -> None:
        pause, name = AGAIN_SECONDS, runner.name
        try:
            while not stopping.is_set():
                begun = self._begun[name] = self._clock.monotonic()
                error = await self._end(runner, stopping)
                if error is None:
                    return
                del self._begun[name]
                if self._clock.monotonic() - begun > AGAIN_SECONDS_MAX:
                    pause = AGAIN_SECONDS
                self._failing[name] = told(error)
                _log.error("%s failed and is begun again in %.0f s", name, pause, exc_info=error)
                await _rest(stopping, pause)
                pause = min(pause * 2, AGAIN_SECONDS_MAX)
        finally:
            self._failing.pop(name, None)
            self._begun.pop(name, None)

    async def _end(self, runner: Runner, stopping: asyncio.Event) -> BaseException | None:
        """Run until the end; return what ended it, unless that was asked for, or it is done."""
        try:
            await runner.run(stopping)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and (self._is_cancelled or stopping.is_set()):
                raise
            _stay()  # nobody here asked for it: a handler has cancelled the task that it runs in, say
            return error
        return None


def _tell(error: Exception) -> None:
    """Say why it cannot be told which consumers there must be."""
    if isinstance(error, PASSING):
        _log.warning("the database does not answer, and is asked again every %.0f s: %s", LOOK_SECONDS, error)
    else:
        _log.error(
            "which consumers there must be cannot be told; asked again every %.0f s", LOOK_SECONDS, exc_info=error
        )


def _stay() -> None:
    """Take back what the running task was cancelled with."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


class _Rebuild:
    """The rebuild of one view, which ends by itself."""

    def __init__(self, view: ViewSpec, carrying: Carrying) -> None:
        self.name = f"rebuild of {view.service}.{view.name}"
        self._view = view
        self._carrying = carrying

    async def run(self, stopping: asyncio.Event) -> None:
        rebuild = asyncio.create_task(self._rebuild())
        stopped = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait((rebuild, stopped), return_when=asyncio.FIRST_COMPLETED)
            if rebuild.done():
                rebuild.result()
        finally:
            rebuild.cancel()  # taken up again where it stood, at the next start
            stopped.cancel()
            await asyncio.gather(rebuild, stopped, return_exceptions=True)

    async def _rebuild(self) -> None:
        await self._carrying.rebuild(self._view)
