"""Connections, opened by aiohttp: it resolves, races addresses, opens tunnels and TLS. What is said on them is ours."""

from __future__ import annotations

import asyncio
from ssl import SSLContext

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from yarl import URL

from tidings.webhooks.deliver import target
from tidings.webhooks.deliver.addresses import is_public
from tidings.webhooks.deliver.guard import Guard, place
from tidings.webhooks.deliver.wire import Looked, Wire


class Dialled(Wire):
    """A wire, and what aiohttp knows of its connection, which it closes, too.

    `host`: of the URL. `proxied`: what a proxy is told with each request, None if there is no proxy. `is_private`:
    whether it leads to an address that is not public, as far as is known behind a proxy.
    """

    def __init__(self, connection: Connection, limits: Looked, *, host: str, proxied: bytes | None) -> None:
        transport, protocol = connection.transport, connection.protocol
        if transport is None or protocol is None or protocol.should_close:
            connection.close()
            raise ConnectionResetError  # it is gone, or spoke before it was asked
        where = transport.get_extra_info("peername")
        super().__init__(transport, place(where) if isinstance(where, tuple) else None, limits)
        self.proxied = proxied or b""
        self.is_private = _is_private(host if proxied is not None or not isinstance(where, tuple) else where[0])
        self._connection = connection
        self._told = protocol
        transport.set_protocol(self)

    def close(self) -> None:
        super().close()
        self._connection.close()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._told.connection_lost(error)  # aiohttp waits for it when all is closed
        self._connection.close()


class Dialling:
    """Opens connections whose every address the guard sees. `proxy`: through which they lead, if through any."""

    def __init__(
        self, guard: Guard, *, tls: SSLContext | None, proxy: str | None, resolver: AbstractResolver | None
    ) -> None:
        self._tls: SSLContext | bool = True if tls is None else tls
        self._proxy = None if proxy is None else URL(proxy)
        self._connector = aiohttp.TCPConnector(
            socket_factory=guard, ssl=self._tls, resolver=resolver, use_dns_cache=False, limit=0, force_close=True
        )

    async def dial(self, url: URL, limits: Looked, *, seconds: float) -> Dialled:
        """Return a new connection to the URL's host. What aiohttp raises, ConnectionTimeoutError after the seconds."""
        request = aiohttp.ClientRequest("POST", url, loop=asyncio.get_running_loop(), ssl=self._tls, proxy=self._proxy)
        try:
            connection = await self._connector.connect(request, [], aiohttp.ClientTimeout(connect=seconds))
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        known = request.headers.get(hdrs.PROXY_AUTHORIZATION)
        told = "" if known is None else f"Proxy-Authorization: {known}\r\n"
        proxied = None if self._proxy is None else told.encode()
        return Dialled(connection, limits, host=url.raw_host or "", proxied=proxied)

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()


def _is_private(host: str) -> bool:
    address = target.literal(host)
    return address is not None and not is_public(address)
