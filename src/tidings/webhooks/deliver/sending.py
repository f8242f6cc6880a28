"""One attempt over HTTP: a POST whose every bad end is a value. Nothing here decides what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from ipaddress import ip_address
from types import TracebackType
from typing import NamedTuple, Self

from yarl import URL

from tidings.errors import SettingError
from tidings.ports import Clock
from tidings.webhooks.deliver import target
from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Address, Allowed, is_public, unwrapped
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.exchange import Exchange
from tidings.webhooks.deliver.guard import Guard
from tidings.webhooks.deliver.handles import handle_of
from tidings.webhooks.deliver.kept import Kept
from tidings.webhooks.deliver.limits import USUAL, Limits
from tidings.webhooks.deliver.posting import Then
from tidings.webhooks.deliver.transfers import STOPPED, Ended, Transfers

# What libcurl would add by itself is named with nothing behind it, which leaves it out. It stands behind the others, so
# that a line end follows each of them.
_EACH = ("Accept-Encoding: identity", "Accept:", "Content-Type:", "Expect:")


class Where(NamedTuple):
    """A URL as it is dialled, with the host and port in it."""

    url: str
    host: str
    port: int


class Sender:
    """Sends to endpoints; one of them for a process, closed at its end.

    `authorities`: certificates as PEM whose word is trusted, None for those that the system trusts. `proxy`: its URL,
    with an address and no name for its host, and perhaps a user; it then checks where a request may go, and the only
    address that is dialled is its own. `resolver`: which addresses a name has, None to ask the system. SettingError if
    the proxy is no such URL, or the event loop that is running watches no sockets.
    """

    def __init__(
        self,
        clock: Clock,
        allowed: Allowed = ONLY_PUBLIC,
        *,
        limits: Limits = USUAL,
        authorities: str | None = None,
        proxy: str | None = None,
        resolver: Callable[[str], Sequence[str]] | None = None,
    ) -> None:
        self._clock = clock
        self._allowed = allowed
        self._known = lru_cache(maxsize=target.KNOWN_URLS)(self._checked)
        self._is_private = lru_cache(maxsize=target.KNOWN_URLS)(_is_private)
        self._limits = limits
        self._authorities = authorities
        self._proxy = proxy
        self._resolver = resolver
        self._guard = Guard(allowed, proxy=None if proxy is None else _place_of(proxy))
        self._kept = Kept()
        self._transfers: Transfers | None = Transfers(idle_s=limits.kept_s)
        self._free: list[Exchange] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        transfers, self._transfers = self._transfers, None
        if transfers is not None:
            await transfers.close()

    async def send(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer | Failure:
        """POST the body and return what came of it. Raises nothing but CancelledError, with which the request ends."""
        told: asyncio.Future[Answer | Failure] = asyncio.get_running_loop().create_future()
        then = partial(_tell, told)
        exchange = self.begin(url, headers, body, then)
        try:
            return await told
        finally:
            if exchange is not None and exchange.then is then and self._transfers is not None:
                self._transfers.stop(exchange.handle)

    def begin(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, then: Then) -> Exchange | None:
        """POST the body and call `then` with what came of it, within `Limits.total_s`: at once if nothing is sent."""
        where = self._known(url)
        if isinstance(where, Failure):
            then(where)
            return None
        lines = [*map(": ".join, headers), *_EACH]
        written = "\n".join(lines)
        if " \n" in written or "\t\n" in written:  # perhaps a header without a value, which libcurl would leave out
            lines = [*[f"{name}: {value}" if value.strip(" \t") else f"{name};" for name, value in headers], *_EACH]
            written = "\n".join(lines)
        if written.count("\n") >= len(lines) or "\r" in written or "\0" in written:
            then(Failure(kind="protocol", error="a header with a line break or NUL is not sent"))
            return None
        exchange = self._free.pop() if self._free else self._new()
        exchange.host, exchange.began, exchange.then = where.host, self._clock.monotonic(), then
        exchange.begin(where.url, written.encode().split(b"\n"), body, self._resolved(where))
        self._carry(exchange)
        return exchange

    def _carry(self, exchange: Exchange) -> None:
        if self._transfers is None or self._transfers.is_over:
            self._transfers = Transfers(idle_s=self._limits.kept_s)
        self._transfers.carry(exchange.handle, exchange.ended)

    def _ended(self, exchange: Exchange, ended: Ended) -> None:
        """Tell what came of a request. A connection that had ended before it was said is closed, and another taken."""
        if exchange.is_stale and ended is not STOPPED:
            exchange.is_stale = False
            self._carry(exchange)
            return
        is_private = self._is_private(exchange.host if self._proxy else exchange.source)
        duration_us = round((self._clock.monotonic() - exchange.began) * 1_000_000)
        seen, then = exchange.told(ended, is_private=is_private, duration_us=duration_us), exchange.then
        exchange.end()
        self._free.append(exchange)
        if then is not None:
            then(seen)

    def _new(self) -> Exchange:
        handle = handle_of(self._limits, proxy=self._proxy, authorities=self._authorities)
        made = Exchange(handle, self._guard, self._kept, self._limits, is_proxied=self._proxy is not None)
        made.ended = partial(self._ended, made)
        return made

    def _resolved(self, where: Where) -> list[str]:
        """Return what libcurl is told of the host's addresses."""
        if self._resolver is None or target.literal(where.host) is not None:
            return []
        found = ",".join(f"[{each}]" if ":" in each else each for each in self._resolver(where.host))
        return [f"{where.host}:{where.port}:{found}"]

    def _checked(self, url: str) -> Where | Failure:
        why = target.fault_of_form(url, self._allowed)
        if why is not None:
            return Failure(kind="url-invalid", error=why)
        parsed = URL(target.as_sent(url))
        return Where(str(parsed), parsed.raw_host or "", parsed.port or 0)


def _tell(told: asyncio.Future[Answer | Failure], seen: Answer | Failure) -> None:
    if not told.done():
        told.set_result(seen)


def _place_of(proxy: str) -> tuple[Address, int]:
    try:
        parsed = URL(proxy)
        host, port = parsed.host, parsed.port
        if parsed.scheme in ("http", "https") and host and port:
            return unwrapped(ip_address(host)), port
    except ValueError:
        pass
    raise SettingError("the proxy of webhooks: expected a URL with an address and a port, such as http://10.0.0.5:3128")


def _is_private(host: str) -> bool:
    address = target.literal(host)
    return address is not None and not is_public(address)
