"""The server behind `tidings run`: opens an App, serves it with uvicorn, and ends in order when it is told to."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import cast

import uvicorn

from tidings.api.application import Application, MakePages, application, no_pages
from tidings.api.connection import CONNECTIONS_MAX, Connection
from tidings.api.guard import is_loopback
from tidings.app.app import App
from tidings.app.engines import holds_log
from tidings.app.opened import Opened
from tidings.errors import OperatorError, SettingError
from tidings.ports import Clock, Ports
from tidings.settings import Settings
from tidings.supervisor import Link

BACKLOG = 1_024
KEEP_ALIVE_SECONDS = 75
OTHER_FILES = 64
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
        self._http: _Http | None = None
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
                self._http = _Http(_configured(self._application), lambda: self._ready(url, worker))
                if self._is_stopping:
                    self._pass_on_stop()
                _spare_what_stays()
                ticking = asyncio.create_task(self._http.tick(self._ports.clock))
                try:
                    await self._http.listen(listening)
                finally:
                    ticking.cancel()

    def _ready(self, url: str, worker: Worker | None) -> None:
        self._on_ready(url)
        if worker is not None:
            worker.link.ready()


class _Http(uvicorn.Server):
    """Uvicorn without its way with signals: those mean more here than the end of the HTTP side."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def listen(self, listening: socket.socket) -> None:
        try:
            await self.serve(sockets=[listening])
        except OSError as error:
            raise _taken(listening.getsockname(), error) from None

    async def tick(self, clock: Clock) -> None:
        """Let each connection know of every second."""
        while True:
            await clock.sleep(1)
            for each in tuple(self.server_state.connections):
                if isinstance(each, Connection):
                    each.tick()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()


def _configured(served: Application) -> uvicorn.Config:
    return uvicorn.Config(
        served,
        http=cast(type[asyncio.Protocol], partial(Connection, most=_connections_max())),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # the application logs what fails; a stranger's broken request is no news
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def _spare_what_stays() -> None:
    """Have the collector of cycles look only at what requests leave behind, less often, and not at the program."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _connections_max() -> int:
    """Ask for the file descriptors that all connections take; return how many connections there can be."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + OTHER_FILES
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return CONNECTIONS_MAX if allowed == resource.RLIM_INFINITY else max(min(wanted, allowed) - OTHER_FILES, 16)


def _refuse_open(host: str) -> None:
    raise SettingError(
        f"host (TIDINGS_HOST) is {host!r}, which other machines can reach, but this server has no API keys: "
        "make one with `tidings keys add`, or set it to 127.0.0.1, ::1 or localhost"
    )


async def bound(host: str, port: int) -> socket.socket:
    """Return a socket with this address. It does not listen yet, so nobody is kept waiting while the App opens."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise SettingError(f"host (TIDINGS_HOST) is {host!r}, which has no address here: {error.strerror}") from None
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise _taken(address, error) from None
    return listening


def _taken(address: tuple[object, ...], error: OSError) -> OperatorError:
    return OperatorError(
        f"cannot listen on {address[0]} port {address[1]} ({error.strerror}): end the program that does, or choose "
        "another port with --port or TIDINGS_PORT"
    )


def url_of(host: str, listening: socket.socket) -> str:
    bare, port = host.strip("[]"), listening.getsockname()[1]
    return f"http://[{bare}]:{port}" if ":" in bare else f"http://{bare}:{port}"


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
