"""The server behind `tidings run`: opens an App, serves it with uvicorn, and ends in order when it is told to."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from tidings.api.application import Application, MakePages, application, no_pages
from tidings.api.guard import is_loopback
from tidings.api.listening import Http, bound, url_of
from tidings.app.app import App
from tidings.app.engines import holds_log
from tidings.app.opened import Opened
from tidings.errors import SettingError
from tidings.ports import Ports
from tidings.settings import Settings
from tidings.supervisor import Link

COLLECT_AFTER = 10_000  # objects more than there were; a request leaves no cycles, so few of them are garbage
PRESS_SECONDS = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Worker:
    """What a supervisor gave this process: the socket that all its workers listen at, and the link to it."""

    listening: socket.socket
    link: Link


def nobody(url: str) -> None:
    """Tell nobody."""


def run(
    app: App,
    settings: Settings,
    ports: Ports,
    on_ready: Callable[[str], None] = nobody,
    pages: MakePages = no_pages,
    worker: Worker | None = None,
) -> int:
    """Serve as `serve` does, on the fastest event loop there is."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(serve(app, settings, ports, on_ready, pages, worker))


async def serve(
    app: App,
    settings: Settings,
    ports: Ports,
    on_ready: Callable[[str], None] = nobody,
    pages: MakePages = no_pages,
    worker: Worker | None = None,
) -> int:
    """Serve the App until a signal ends it, and return the exit code. See `Server`.

    `worker`: the socket to listen at, and the link to the supervisor, where one began this process.
    """
    server = Server(app, settings, ports, on_ready, pages)
    with _handled(server.signalled):
        if worker is None:
            return await server.run()
        worker.link.when_alone(server.stop)
        return await server.run(worker)


class Server:
    """One run of an App's server. `on_ready` is told the address as soon as requests are answered.

    `pages`: makes what is served beside the API.
    """

    def __init__(
        self,
        app: App,
        settings: Settings,
        ports: Ports,
        on_ready: Callable[[str], None] = nobody,
        pages: MakePages = no_pages,
    ) -> None:
        self._pages = pages
        self._app = app
        self._settings = settings
        self._ports = ports
        self._on_ready = on_ready
        self._http: Http | None = None
        self._opened: Opened | None = None
        self._application: Application | None = None
        self._work: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._code = 0

    async def run(self, worker: Worker | None = None) -> int:
        """Serve until `stop`, and return 0; 1 if what was under way did not end within `shutdown_grace` seconds.

        After a second signal 128 and its number. SettingError for a host that is not this machine alone; OperatorError
        if the port is taken; whatever `App.open` raises.
        """
        self._work = asyncio.get_running_loop().create_task(self._serve(worker))
        try:
            await asyncio.wait((self._work,))
        finally:
            self.abort(code=1)
            with suppress(asyncio.CancelledError):
                await self._work
        return self._code

    def signalled(self, number: int) -> None:
        """Stop at the first signal, at once at the second."""
        if self._is_stopping:
            self.abort(code=128 + number)
        else:
            self.stop()

    def stop(self) -> None:
        """Take no new connection and begin no new page; finish the requests and pages that are under way."""
        if self._is_stopping:
            return
        self._is_stopping = True
        asyncio.get_running_loop().call_later(self._settings.shutdown_grace, lambda: self.abort(code=1))
        self._pass_on_stop()

    def _pass_on_stop(self) -> None:
        if self._http is not None and self._application is not None and self._opened is not None:
            self._http.should_exit = True
            self._application.waiting.stop()
            self._opened.stopping.set()

    def abort(self, *, code: int) -> None:
        """Cancel everything that is under way, so that it rolls back, until nothing is."""
        if self._work is None or self._work.done():
            return
        self._code = code
        if self._application is not None:
            self._application.waiting.stop()
        for task in () if self._http is None else tuple(self._http.server_state.tasks):
            task.cancel()
        self._work.cancel()
        asyncio.get_running_loop().call_later(PRESS_SECONDS, lambda: self.abort(code=code))

    async def _serve(self, worker: Worker | None) -> None:
        settings = self._settings
        is_local = is_loopback(settings.host)
        if not (is_local or await holds_log(settings)):
            _refuse_open(settings.host)
        with worker.listening if worker else await bound(settings.host, settings.port) as listening:
            async with self._app.open(settings, ports=self._ports) as opened:
                if not (is_local or await opened.admission.has_live_key()):
                    _refuse_open(settings.host)
                self._opened = opened
                self._application = await application(opened, self._pages)
                url = url_of(settings.host, listening)
                on_full = partial(self._application.refusals.tell, instance="/")
                self._http = Http(self._application, lambda: self._ready(url, worker), on_full)
                if self._is_stopping:
                    self._pass_on_stop()
                spare_what_stays()
                ticking = asyncio.create_task(self._http.tick(self._ports.clock))
                try:
                    await self._http.listen(listening)
                finally:
                    ticking.cancel()

    def _ready(self, url: str, worker: Worker | None) -> None:
        self._on_ready(url)
        if worker is not None:
            worker.link.ready()


def spare_what_stays() -> None:
    """Have the collector of cycles look only at what work leaves behind, less often, and not at the program."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _refuse_open(host: str) -> None:
    raise SettingError(
        f"host (TIDINGS_HOST) is {host!r}, which other machines can reach, but this server has no API keys: "
        "make one with `tidings keys add`, or set it to 127.0.0.1, ::1 or localhost"
    )


@contextmanager
def _handled(signalled: Callable[[int], None]) -> Iterator[None]:
    """Have the signals that end a process call this instead."""
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, signalled, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
