"""Verifications that run while pages are looked at, the last one of each view."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from tidings.app.opened import Opened
from tidings.errors import TidingsError
from tidings.operations.verify import Verified, verify
from tidings.views.declaration import ViewSpec

_log = logging.getLogger("tidings.console")


@dataclass(slots=True, eq=False)
class Verification:
    """One comparison of a view with a refold of the log.

    `done` of `total` positions were looked at. `at`: when it ended, µs since 1970. `found`, `error`: how.
    """

    done: int = 0
    total: int = 0
    at: int | None = None
    found: Verified | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        return self.at is not None

    def progress(self, what: str, done: int, total: int) -> None:
        self.done, self.total = done, total


class Verifications:
    """Runs at most one verification of each view at a time. They end with the server."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._last: dict[str, Verification] = {}
        self._running: set[asyncio.Task[None]] = set()

    def of(self, name: str) -> Verification | None:
        """Return the last verification of the view `service.view`; None if there was none."""
        return self._last.get(name)

    def begin(self, view: ViewSpec) -> None:
        """Begin one, unless one is running."""
        name = f"{view.service}.{view.name}"
        last = self._last.get(name)
        if last is not None and not last.ended:
            return
        self._last[name] = begun = Verification()
        task = asyncio.get_running_loop().create_task(self._run(view, begun))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, view: ViewSpec, begun: Verification) -> None:
        opened = self._opened
        work = asyncio.ensure_future(verify(opened.log, opened.store, [view], progress=begun.progress))
        stopping = asyncio.ensure_future(opened.stopping.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                begun.found = next(iter(work.result()), None)
        except TidingsError as error:
            begun.error = str(error)
        except Exception as error:
            _log.error("the verification of %s failed", view, exc_info=error)
            begun.error = "it failed; the server's log has the reason"
        finally:
            begun.at = opened.ports.clock.now_us()
            work.cancel()
            stopping.cancel()
            await asyncio.gather(work, stopping, return_exceptions=True)
