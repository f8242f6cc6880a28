"""Where a server listens: its socket, and uvicorn over our own connections."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn

from tidings.api.answer import Application
from tidings.api.connection import CONNECTIONS_MAX, Connection
from tidings.api.problems import Refusal
from tidings.errors import OperatorError, SettingError
from tidings.ports import Clock

BACKLOG = 1_024
KEEP_ALIVE_SECONDS = 75
OTHER_FILES = 64


class Http(uvicorn.Server):
    """Uvicorn without its way with signals: those mean more here than the end of the HTTP side."""

    def __init__(self, served: Application, on_started: Callable[[], None], on_full: Callable[[Refusal], None]) -> None:
        super().__init__(_configured(served, on_full))
        self.servers = []
        self._on_started = on_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def listen(self, listening: socket.socket) -> None:
        try:
            await self.serve(sockets=[listening])
        except OSError as error:
            raise _taken(listening.getsockname(), error) from None
        finally:  # also if two signals at once have cut it off before it shut down: else uvloop's close waits for ever
            for server in self.servers:
                server.close()

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


def _configured(served: Application, on_full: Callable[[Refusal], None]) -> uvicorn.Config:
    return uvicorn.Config(
        served,
        http=cast(type[asyncio.Protocol], partial(Connection, most=connections_max(), on_full=on_full)),
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


def connections_max() -> int:
    """Ask for the file descriptors that all connections take; return how many connections there can be."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + OTHER_FILES
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return CONNECTIONS_MAX if allowed == resource.RLIM_INFINITY else max(min(wanted, allowed) - OTHER_FILES, 16)


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
