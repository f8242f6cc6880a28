"""Real receivers on loopback addresses, and the certificates of those that speak TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tidings.webhooks.deliver.addresses import Allowed

LOOPBACK = Allowed(http=True, subnets=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
SECOND_ONLY = Allowed(http=True, subnets=(ip_network("127.0.0.2/32"),))
"""So that of two loopback addresses one is taken for public and the other for private."""

Speaking = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class Party:
    """A server that remembers how often it was connected to, and each request's bytes."""

    def __init__(self, speak: Speaking | bytes = OK) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.at_once = False
        """Speak without having read a request, such as in answer to what is none."""
        self.speak = speak
        self._ended = 0
        self._changed = asyncio.Condition()

    async def closed(self, count: int) -> None:
        """Come back once so many of the connections have ended."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended >= count)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if not self.at_once:
                self.requests.append(await request(reader))
            if isinstance(self.speak, bytes):
                writer.write(self.speak)
                await writer.drain()
            else:
                await self.speak(reader, writer)
        writer.close()
        async with self._changed:
            self._ended += 1
            self._changed.notify_all()


async def request(reader: asyncio.StreamReader) -> bytes:
    """Return the head and body of one request."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


@asynccontextmanager
async def listening(
    *hosts: str, speak: Speaking | bytes = OK, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[Party]:
    """Listen on one port of each of the addresses; on 127.0.0.1 if none is named."""
    party = Party(speak)
    servers: list[asyncio.Server] = []
    talks: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.append((task, writer))
        await party.talk(reader, writer)

    try:
        for host in hosts or ("127.0.0.1",):
            server = await asyncio.start_server(talk, host, party.port or port, ssl=tls)
            servers.append(server)
            party.port = server.sockets[0].getsockname()[1]
        yield party
    finally:
        for server in servers:
            server.close()
        for task, writer in talks:
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*(task for task, _ in talks), return_exceptions=True)
        await asyncio.sleep(0)  # each transport is told of its end once the loop has gone round


def tunnel_to(receiver: Party) -> Speaking:
    """Speak as a proxy that opens tunnels to this receiver only."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
        await asyncio.gather(passed_on(reader, to), passed_on(there, writer))

    return speak


async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


class Names:
    """Answers a name with the next of its lists of addresses, and with the last one from then on."""

    def __init__(self, *answers: list[str]) -> None:
        self.asked = 0
        self._answers = answers

    def __call__(self, host: str) -> list[str]:
        found = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return found


def certified(folder: Path, host: str, *, days: int = 1) -> tuple[ssl.SSLContext, str]:
    """Return the TLS of a server whose certificate is for this host, and the certificate of who signed it, as PEM.

    `days`: until when it is valid; below 0 if it has ended.
    """
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    root = _signed(issuer, issuer, authority, authority, days=10, is_ca=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    leaf = _signed(subject, issuer, key, authority, days=days, host=host)
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / f"{host}.pem"
    file.write_bytes(leaf.public_bytes(pem) + plain)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, root.public_bytes(pem).decode()


def _signed(subject: x509.Name, issuer: x509.Name, key: Any, by: Any, **wanted: Any) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=5))
        .not_valid_after(now + datetime.timedelta(days=wanted["days"]))
        .add_extension(x509.BasicConstraints(ca=wanted.get("is_ca", False), path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if host := wanted.get("host"):
        try:
            named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            named = x509.DNSName(host)
        builder = builder.add_extension(x509.SubjectAlternativeName([named]), critical=False)
    return builder.sign(by, hashes.SHA256())
