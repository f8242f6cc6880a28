"""A door in front of a server, on a free port of 127.0.0.1, that can be shut and that can cut what goes through it.

async with Door(url) as door:
    connect(door.url)
    async with door.shut(): ...      every connection is cut, and none gets through
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

PIECE = 1 << 16


class Door:
    """`may_pass`: asked before each piece of bytes on its way to the server (True) or back; says no to cut it off.

    `flows`: while it is not set, nothing more goes on to the server, and nobody is told.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_shut = False
        self.may_pass: Callable[[bool], bool] = lambda to_server: True
        self.flows = asyncio.Event()
        self.flows.set()
        self.url = ""

    async def __aenter__(self) -> Door:
        self._server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        account = self._parts.netloc.rpartition("@")[0]
        self.url = self._parts._replace(netloc=f"{account}@127.0.0.1:{port}").geturl()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()

    @asynccontextmanager
    async def shut(self) -> AsyncIterator[None]:
        """Let nothing through while inside."""
        async with self.shut_to_newcomers():
            await self.cut()
            yield

    @asynccontextmanager
    async def shut_to_newcomers(self) -> AsyncIterator[None]:
        """Let nobody new through while inside."""
        self._is_shut = True
        yield
        self._is_shut = False

    async def lead_to(self, url: str) -> None:
        """Lead to another server from now on, as an address that is moved does."""
        self._parts = self._parts._replace(netloc=urlsplit(url).netloc)
        await self.cut()

    async def cut(self) -> None:
        """Cut every connection there is."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self._is_shut:
                await self._pass(reader, writer)
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        try:
            ways = [
                asyncio.create_task(self._pump(reader, back, True)),
                asyncio.create_task(self._pump(there, writer, False)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_server: bool) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if not self.may_pass(to_server):
                    return
                if to_server:
                    await self.flows.wait()
                writer.write(piece)
                await writer.drain()
