"""One attempt over HTTP: a POST whose every bad end is a value. Nothing here decides what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from multidict import CIMultiDict, istr
from yarl import URL

from tidings.errors import SettingError
from tidings.ports import Clock
from tidings.webhooks.deliver import target
from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Address, Allowed, is_public, unwrapped
from tidings.webhooks.deliver.answer import Answer, Failure, FailureKind
from tidings.webhooks.deliver.deadline import Deadline
from tidings.webhooks.deliver.excerpt import excerpt_of, headers_of
from tidings.webhooks.deliver.fault import failure_of
from tidings.webhooks.deliver.guard import Guard, place

HEADERS_MAX = 128
KEPT_ALIVE_S = 4.0  # many servers close after 5 s of silence, and what is sent meanwhile would be a failure
KNOWN_URLS = 1_000
KNOWN_NAMES = 1_000
_CHUNK = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long one attempt may take, in seconds, and how much of an answer is looked at, in bytes."""

    total_s: float = 20.0
    connect_s: float = 5.0
    head_bytes: int = 16_384
    read_bytes: int = 65_536


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
        self._is_private = lru_cache(maxsize=KNOWN_URLS)(_is_private)
        self._name = lru_cache(maxsize=KNOWN_NAMES)(istr)  # as the client would make of it, several times a request
        self._limits = limits
        self._deadline = Deadline(limits.total_s)
        self._is_proxied = proxy is not None
        self._guard = Guard(allowed, proxy=None if proxy is None else _place_of(proxy))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                socket_factory=self._guard,
                ssl=True if tls is None else tls,
                resolver=resolver,
                use_dns_cache=False,
                limit=0,
                keepalive_timeout=KEPT_ALIVE_S,
            ),
            response_class=_Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            proxy=proxy,
            auto_decompress=False,
            request_class=_Request,
            headers={"Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s),
            read_bufsize=_CHUNK,
            max_line_size=limits.head_bytes,
            max_field_size=limits.head_bytes,
            max_headers=HEADERS_MAX,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def send(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer | Failure:
        """POST the body and return what came of it, within `Limits.total_s`. Raises nothing but CancelledError."""
        where = self._known(url)
        if isinstance(where, Failure):
            return where
        began, exchange = self._clock.monotonic(), _Exchange(self._is_private, is_proxied=self._is_proxied)
        dialled, named = self._guard.watch(), [(self._name(name), value) for name, value in headers]
        try:
            with self._deadline:
                response = await self._session.post(where, headers=named, data=body, allow_redirects=False)
                assert isinstance(response, _Response)
                await exchange.read(response, self._limits)
        except Exception as error:
            if exchange.response is None:
                return failure_of(error, dialled, duration_us=self._since(began))
            exchange.cut = "timeout" if isinstance(error, TimeoutError) else "protocol"
        finally:
            exchange.end()
        refused = tuple(sorted(dialled.refused)) if dialled.refused else ()
        return exchange.told(refused, self._since(began), self._limits)

    def _checked(self, url: str) -> URL | Failure:
        why = target.fault_of_form(url, self._allowed)
        return URL(url) if why is None else Failure(kind="url-invalid", error=why)

    def _since(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1_000_000)


class _Request(aiohttp.ClientRequest):
    """Adds no header that it is not given: to say so anew for each request costs as much as to sign it."""

    _UNWANTED = CIMultiDict(dict.fromkeys(("Content-Type", "User-Agent", "Accept", "Accept-Encoding")))

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        self._skip_auto_headers = self._UNWANTED


class _Response(aiohttp.ClientResponse):
    """Remembers whom it came from, since a connection is given back as soon as a short answer is complete."""

    peer: str | None = None
    reached = ""

    def start(self, connection: Connection) -> Coroutine[Any, Any, aiohttp.ClientResponse]:
        where = None if connection.transport is None else connection.transport.get_extra_info("peername")
        self.peer = place(where) if isinstance(where, tuple) else None
        self.reached = where[0] if isinstance(where, tuple) else ""
        return super().start(connection)

    @property
    def head_bytes(self) -> int:
        return sum(len(name) + len(value) + 4 for name, value in self.raw_headers) + len(self.reason or "") + 15


class _Exchange:
    """What came in answer to a request. The status decides: a body that fails is cut off.

    `is_private`: of a host. `is_proxied`: of where it came from no more is known than its URL says.
    """

    def __init__(self, is_private: Callable[[str], bool], *, is_proxied: bool) -> None:
        self._is_private = is_private
        self._is_proxied = is_proxied
        self.response: _Response | None = None
        self.cut: FailureKind | None = None
        self._body = bytearray()
        self._is_all = self._is_too_long = False

    async def read(self, response: _Response, limits: Limits) -> None:
        """Read until the end, or until there is as much as is looked at, of which the rest is left."""
        self.response = response
        self._is_too_long = response.head_bytes > limits.head_bytes
        content = response.content
        while not self._is_too_long and len(self._body) < limits.read_bytes and not content.at_eof():
            chunk = await content.read(min(_CHUNK, limits.read_bytes - len(self._body)))
            if not chunk:
                return
            self._body += chunk

    def end(self) -> None:
        """Give the connection back, or close it if there is more to come."""
        if self.response is None:
            return
        self._is_all = self.response.content.at_eof()
        if not self._is_all:
            self.response.close()
        elif not self.response.closed:  # else it gave the connection back itself
            self.response.release()

    def told(self, refused: tuple[str, ...], took: int, limits: Limits) -> Answer | Failure:
        assert self.response is not None
        response = self.response
        if self._is_too_long:
            why = f"the head of the answer has more than {limits.head_bytes:,} bytes"
            return Failure(kind="protocol", error=why, address=response.peer, refused=refused, duration_us=took)
        return Answer(
            status=response.status,
            headers=headers_of(response.raw_headers),
            body=excerpt_of(bytes(self._body), is_all=self._is_all and self.cut is None),
            cut=self.cut,
            is_private=self._is_private(response.url.raw_host or "" if self._is_proxied else response.reached),
            address=response.peer,
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


def _is_private(host: str) -> bool:
    address = target.literal(host)
    return address is not None and not is_public(address)
