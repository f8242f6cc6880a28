"""One attempt over HTTP: a POST whose every bad end is a value. Nothing here decides what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from ssl import SSLContext
from types import TracebackType
from typing import Self

from aiohttp.abc import AbstractResolver
from yarl import URL

from tidings.errors import SettingError
from tidings.ports import Clock
from tidings.webhooks.deliver import target
from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Address, Allowed, unwrapped
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.dialling import Dialled, Dialling
from tidings.webhooks.deliver.excerpt import excerpt_of, headers_of
from tidings.webhooks.deliver.fault import failure_of
from tidings.webhooks.deliver.guard import NOBODY, Guard
from tidings.webhooks.deliver.kept import Kept
from tidings.webhooks.deliver.wire import Heard

KEPT_ALIVE_S = 4.0  # many servers close after 5 s of silence, and what is sent meanwhile would be a failure
KNOWN_URLS = 1_000
Origin = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long one attempt may take, in seconds, and how much of an answer is looked at, in bytes."""

    total_s: float = 20.0
    connect_s: float = 5.0
    head_bytes: int = 16_384
    read_bytes: int = 65_536


@dataclass(frozen=True, slots=True)
class _Where:
    """A URL that may be sent to. `line`: how a request begins."""

    url: URL
    origin: Origin
    line: str


class Sender:
    """Sends to endpoints; one of them for a process, closed at its end.

    `tls`: None for the certificates that the system trusts. `proxy`: its URL, with an address and no name for its host,
    and perhaps a user; it then checks where a request may go, and the only address that is dialled is its own.
    SettingError if it is no such URL.
    """

    def __init__(
        self,
        clock: Clock,
        allowed: Allowed = ONLY_PUBLIC,
        *,
        limits: Limits = Limits(),
        tls: SSLContext | None = None,
        proxy: str | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._clock = clock
        self._allowed = allowed
        self._known = lru_cache(maxsize=KNOWN_URLS)(self._checked)
        self._limits = limits
        self._is_proxied = proxy is not None
        self._guard = Guard(allowed, proxy=None if proxy is None else _place_of(proxy))
        self._dialling = Dialling(self._guard, tls=tls, proxy=proxy, resolver=resolver)
        self._kept: Kept[Dialled] = Kept(KEPT_ALIVE_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        self._kept.close()
        await self._dialling.close()

    async def send(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer | Failure:
        """POST the body and return what came of it, within `Limits.total_s`. Raises nothing but CancelledError."""
        where = self._known(url)
        if isinstance(where, Failure):
            return where
        began, dialled = self._clock.monotonic(), NOBODY
        deadline = asyncio.get_running_loop().time() + self._limits.total_s
        wire = self._kept.take(where.origin)
        try:
            head = _head(where, headers, len(body))
            if wire is None:
                dialled = self._guard.watch()
                async with asyncio.timeout_at(deadline):
                    wire = await self._dialling.dial(where.url, self._limits, seconds=self._limits.connect_s)
            heard = await wire.exchange(b"%b%b\r\n%b" % (head, wire.proxied, body), deadline)
        except Exception as error:
            peer = None if wire is None else wire.peer
            return failure_of(error, dialled, peer=peer, duration_us=self._since(began))
        finally:
            if wire is not None:
                self._kept.put(where.origin, wire)
        refused = tuple(sorted(dialled.refused)) if dialled.refused else ()
        return _told(heard, wire, refused, self._since(began))

    def _checked(self, url: str) -> _Where | Failure:
        why = target.fault_of_form(url, self._allowed)
        if why is not None:
            return Failure(kind="url-invalid", error=why)
        parsed = URL(url)
        path = str(parsed) if self._is_proxied and parsed.scheme == "http" else parsed.raw_path_qs
        host = parsed.host_port_subcomponent
        line = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\n"
        return _Where(parsed, (parsed.scheme, parsed.raw_host or "", parsed.port or 0), line)

    def _since(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1_000_000)


def _head(where: _Where, headers: Sequence[tuple[str, str]], length: int) -> bytes:
    """Return the head of a request but for its end. ValueError for a header that would end early."""
    named = "\r\n".join([f"{name}: {value}" for name, value in headers])
    if named.count("\r") + named.count("\n") + named.count("\0") != 2 * max(0, len(headers) - 1):
        raise ValueError("a header holds the end of a line")
    return f"{where.line}{named}{'' if not headers else chr(13) + chr(10)}Content-Length: {length}\r\n".encode()


def _told(heard: Heard, wire: Dialled, refused: tuple[str, ...], took: int) -> Answer:
    return Answer(
        status=heard.status,
        headers=headers_of(heard.headers),
        body=excerpt_of(heard.body, is_all=heard.is_all and heard.cut is None),
        cut=heard.cut,
        is_private=wire.is_private,
        address=wire.peer,
        refused=refused,
        duration_us=took,
    )


def _place_of(proxy: str) -> tuple[Address, int]:
    try:
        parsed = URL(proxy)
        host, port = parsed.host, parsed.port
        if parsed.scheme in ("http", "https") and host and port:
            return unwrapped(ip_address(host)), port
    except ValueError:
        pass
    raise SettingError("the proxy of webhooks: expected a URL with an address and a port, such as http://10.0.0.5:3128")
