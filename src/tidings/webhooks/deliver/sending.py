"""One attempt over HTTP: a POST whose every bad end is a value. Nothing here decides what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from ssl import SSLContext
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from yarl import URL

from tidings.errors import SettingError
from tidings.ports import Clock
from tidings.webhooks.deliver import target
from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Address, Allowed, unwrapped
from tidings.webhooks.deliver.answer import Answer, Failure, FailureKind
from tidings.webhooks.deliver.excerpt import excerpt_of, headers_of
from tidings.webhooks.deliver.fault import failure_of
from tidings.webhooks.deliver.guard import Dialled, Guard, place

HEADERS_MAX = 128
KEPT_ALIVE_S = 4.0  # many servers close after 5 s of silence, and what is sent meanwhile would be a failure
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
        self._limits = limits
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
            skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
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
        why = target.fault_of_form(url, self._allowed)
        if why is not None:
            return Failure(kind="url-invalid", error=why)
        began = self._clock.monotonic()
        until = asyncio.get_running_loop().time() + self._limits.total_s
        with self._guard.watched() as dialled:
            try:
                async with asyncio.timeout_at(until):
                    response = await self._session.post(URL(url), headers=headers, data=body, allow_redirects=False)
            except Exception as error:
                return failure_of(error, dialled, duration_us=self._since(began))
            assert isinstance(response, _Response)
            return await self._read(response, dialled, began=began, until=until)

    async def _read(self, response: _Response, dialled: Dialled, *, began: float, until: float) -> Answer | Failure:
        """Return the answer with what its body began with. The status decides: a body that fails is cut off."""
        refused = tuple(sorted(dialled.refused))
        read = bytearray()
        cut: FailureKind | None = None
        try:
            if response.head_bytes > self._limits.head_bytes:
                why = f"the head of the answer has more than {self._limits.head_bytes:,} bytes"
                address, took = response.peer, self._since(began)
                return Failure(kind="protocol", error=why, address=address, refused=refused, duration_us=took)
            async with asyncio.timeout_at(until):
                await _fill(read, response.content, self._limits.read_bytes)
        except TimeoutError:
            cut = "timeout"
        except (aiohttp.ClientError, OSError):
            cut = "protocol"
        finally:
            is_all = response.content.at_eof()
            response.close() if not is_all else response.release()
        return Answer(
            status=response.status,
            headers=headers_of(response.raw_headers),
            body=excerpt_of(bytes(read), is_all=is_all and cut is None),
            cut=cut,
            address=response.peer,
            refused=refused,
            duration_us=self._since(began),
        )

    def _since(self, began: float) -> int:
        return round((self._clock.monotonic() - began) * 1_000_000)


class _Response(aiohttp.ClientResponse):
    """Remembers whom it came from, since a connection is given back as soon as a short answer is complete."""

    peer: str | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        where = None if connection.transport is None else connection.transport.get_extra_info("peername")
        self.peer = place(where) if isinstance(where, tuple) else None
        return await super().start(connection)

    @property
    def head_bytes(self) -> int:
        return sum(len(name) + len(value) + 4 for name, value in self.raw_headers) + len(self.reason or "") + 15


async def _fill(read: bytearray, content: aiohttp.StreamReader, most: int) -> None:
    """Read until the end, or until there is more than `most`, of which the rest is left."""
    while len(read) < most:
        chunk = await content.read(min(_CHUNK, most - len(read)))
        if not chunk:
            return
        read += chunk


def _place_of(proxy: str) -> tuple[Address, int]:
    try:
        parsed = URL(proxy)
        host, port = parsed.host, parsed.port
        if parsed.scheme in ("http", "https") and host and port:
            return unwrapped(ip_address(host)), port
    except ValueError:
        pass
    raise SettingError("the proxy of webhooks: expected a URL with an address and a port, such as http://10.0.0.5:3128")
