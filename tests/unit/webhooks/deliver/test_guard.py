"""Real connections to real sockets: a refused address never sees one, however it was spelled or resolved."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network

import aiohttp
import pytest

from tests.unit.webhooks.deliver.parties import LOOPBACK, SECOND_ONLY, Names, Party, listening
from tidings.errors import SettingError
from tidings.ports import SystemClock
from tidings.webhooks.deliver.addresses import Allowed
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.guard import AddressRefused, Guard
from tidings.webhooks.deliver.outcome import decide
from tidings.webhooks.deliver.sending import Limits, Sender

HTTP = Allowed(http=True)
EVERYWHERE = Allowed(http=True, subnets=(ip_network("0.0.0.0/0"), ip_network("::/0")))
LIMITS = Limits(total_s=10, connect_s=5)


@pytest.fixture
async def party() -> AsyncIterator[Party]:
    """A server on every loopback address that the spellings below lead to."""
    async with listening("127.0.0.1", "127.0.0.2", "::1") as party:
        yield party


async def sent(url: str, allowed: Allowed, names: Names | None = None) -> Answer | Failure:
    async with Sender(SystemClock(), allowed, limits=LIMITS, resolver=names) as sender:
        return await sender.send(url, [], b"{}")


DIALLED = [
    "127.0.0.1", "127.0.0.2", "0x7f000001", "0x7f.0.0.1", "0.0.0.0", "[::1]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "localhost", "LOCALHOST", "１２７.0.0.1",
    "127。0。0。1",
]  # fmt: skip
NEVER_DIALLED = ["127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1", "0"]
"""Decimal and octal forms, which the client takes for no address at all."""


@pytest.mark.parametrize("host", DIALLED)
async def test_ssrf_vectors(host: str, party: Party) -> None:
    result = await sent(f"http://{host}:{party.port}/", HTTP)
    assert isinstance(result, Failure)
    assert (result.kind, result.address) == ("address-refused", None)
    assert result.refused
    assert party.connections == 0


@pytest.mark.parametrize("host", DIALLED)
async def test_the_same_spellings_lead_to_the_server_where_they_are_allowed(host: str, party: Party) -> None:
    result = await sent(f"http://{host}:{party.port}/", EVERYWHERE)
    assert isinstance(result, Answer), result
    assert (result.status, party.connections) == (200, 1)


@pytest.mark.parametrize("host", NEVER_DIALLED)
async def test_other_forms_of_an_address_are_no_url(host: str, party: Party) -> None:
    result = await sent(f"http://{host}:{party.port}/", EVERYWHERE)
    assert isinstance(result, Failure)
    assert (result.kind, party.connections) == ("url-invalid", 0)


@pytest.mark.parametrize("text", ["2130706433", "0177.0.0.1", "0x7f.1", "127.1", "127.0.0.1"])
async def test_a_resolver_that_reads_such_forms_leads_nowhere(text: str, party: Party) -> None:
    found = socket.getaddrinfo(text, party.port, type=socket.SOCK_STREAM, family=socket.AF_INET)
    result = await sent(f"http://name.example:{party.port}/", HTTP, Names([str(each[4][0]) for each in found]))
    assert isinstance(result, Failure)
    assert (result.kind, party.connections) == ("address-refused", 0)


async def test_dns_rebinding_has_no_window(party: Party) -> None:
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    async with Sender(SystemClock(), SECOND_ONLY, limits=LIMITS, resolver=names) as sender:
        url = f"http://rebinding.example:{party.port}/"
        first = await sender.send(url, [], b"{}")
        assert isinstance(first, Answer)
        assert first.address == f"127.0.0.2:{party.port}"
        second = await sender.send(url, [], b"{}")
    assert isinstance(second, Failure)
    assert (second.kind, second.refused) == ("address-refused", (f"127.0.0.1:{party.port}",))
    assert (party.connections, names.asked) == (1, 2)


@pytest.mark.parametrize("answer", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["::1", "127.0.0.2"]])
async def test_of_a_public_and_a_private_address_the_public_one_is_used(answer: list[str], party: Party) -> None:
    result = await sent(f"http://both.example:{party.port}/", SECOND_ONLY, Names(answer))
    assert isinstance(result, Answer)
    assert (result.status, result.address) == (200, f"127.0.0.2:{party.port}")
    assert party.connections == 1


async def test_many_private_addresses_are_one_refusal(party: Party) -> None:
    names = Names(["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "169.254.169.254", "::ffff:127.0.0.1"])
    result = await sent(f"http://many.example:{party.port}/", HTTP, names)
    assert isinstance(result, Failure)
    assert (result.kind, len(result.refused)) == ("address-refused", 6)
    assert party.connections == 0


async def test_the_refusal_is_still_the_cause_where_many_addresses_race() -> None:
    addresses = ["127.0.0.1", "::1", "10.0.0.1", "fd00::1"]
    connector = aiohttp.TCPConnector(socket_factory=Guard(), resolver=Names(addresses))
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get("http://many.example/")
    assert isinstance(caught.value.os_error, AddressRefused)


async def test_a_refused_address_beside_one_that_fails_is_an_ordinary_failure() -> None:
    async with listening("127.0.0.2") as party:
        port = party.port
    result = await sent(f"http://half.example:{port}/", SECOND_ONLY, Names(["127.0.0.1", "127.0.0.2"]))
    assert isinstance(result, Failure)
    assert (result.kind, result.address, result.refused) == ("connect", f"127.0.0.2:{port}", (f"127.0.0.1:{port}",))


async def test_refused_address_is_not_retried(party: Party) -> None:
    result = await sent(f"http://127.0.0.1:{party.port}/", HTTP)
    decision = decide(result, attempt=1, now=0, draw=0.5)
    assert (decision.state, decision.reason, decision.effects.pause) == ("dead", "address-refused", "address-refused")


async def test_attempts_at_once_keep_their_refusals_apart(party: Party) -> None:
    names = Names(["127.0.0.1"])
    async with Sender(SystemClock(), SECOND_ONLY, limits=LIMITS, resolver=names) as sender:
        refused, reached = await asyncio.gather(
            sender.send(f"http://private.example:{party.port}/", [], b"{}"),
            sender.send(f"http://127.0.0.2:{party.port}/", [], b"{}"),
        )
    assert isinstance(refused, Failure)
    assert isinstance(reached, Answer)
    assert (len(refused.refused), reached.refused) == (1, ())


async def test_redirects_are_not_followed(party: Party) -> None:
    to = f"http://127.0.0.1:{party.port}/inner"
    moved = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()
    async with listening("127.0.0.2", speak=moved) as door:
        result = await sent(f"http://127.0.0.2:{door.port}/", LOOPBACK)
    assert isinstance(result, Answer)
    assert (result.status, result.header("location")) == (307, to)
    assert (door.connections, party.connections) == (1, 0)


async def test_a_port_that_is_not_allowed_is_not_dialled(party: Party) -> None:
    allowed = Allowed(http=True, subnets=LOOPBACK.subnets, ports=frozenset({443}))
    result = await sent(f"http://127.0.0.1:{party.port}/", allowed)
    assert isinstance(result, Failure)
    assert (result.kind, party.connections) == ("url-invalid", 0)
    with pytest.raises(AddressRefused):
        Guard(allowed)((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", party.port)))


def test_local_sockets_cannot_be_reached() -> None:
    with pytest.raises(AddressRefused):
        Guard(EVERYWHERE)((socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("/run/door",)))


async def test_metadata_blocked_with_private_allowed() -> None:
    for host in ("169.254.169.254", "[::ffff:169.254.169.254]", "0xa9fea9fe", "[fd00:ec2::254]"):
        result = await sent(f"http://{host}/latest/meta-data/", EVERYWHERE)
        assert isinstance(result, Failure)
        assert result.kind == "address-refused"


async def test_through_a_proxy_only_the_proxy_is_dialled(party: Party) -> None:
    async with (
        listening("127.0.0.2") as proxy,
        Sender(SystemClock(), HTTP, limits=LIMITS, proxy=f"http://127.0.0.2:{proxy.port}") as sender,
    ):
        result = await sender.send(f"http://127.0.0.1:{party.port}/hook", [], b"{}")
    assert isinstance(result, Answer)
    assert result.status == 200
    assert (proxy.connections, party.connections) == (1, 0)
    assert proxy.requests[0].startswith(f"POST http://127.0.0.1:{party.port}/hook HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "address-refused"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy-failed"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "proxy-failed"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "connect"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_says_whose_fault_it_is(answer: bytes, kind: str) -> None:
    async with (
        listening("127.0.0.2", speak=answer) as proxy,
        Sender(SystemClock(), limits=LIMITS, proxy=f"http://127.0.0.2:{proxy.port}") as sender,
    ):
        result = await sender.send("https://example.com/hook", [], b"{}")
    assert isinstance(result, Failure)
    assert result.kind == kind


async def test_a_proxy_that_is_gone_is_our_fault() -> None:
    async with listening("127.0.0.2") as proxy:
        port = proxy.port
    async with Sender(SystemClock(), limits=LIMITS, proxy=f"http://127.0.0.2:{port}") as sender:
        result = await sender.send("https://example.com/hook", [], b"{}")
    assert isinstance(result, Failure)
    assert result.kind == "proxy-failed"
    assert not decide(result, attempt=1, now=0, draw=0.5).is_spent


@pytest.mark.parametrize("where", [("127.0.0.1", 3128), ("127.0.0.2", 3129), ("8.8.8.8", 443)])
def test_behind_a_proxy_no_other_address_gets_a_socket(where: tuple[str, int]) -> None:
    guard = Guard(EVERYWHERE, proxy=(ip_address("127.0.0.2"), 3128))
    guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 3128))).close()
    with pytest.raises(AddressRefused):
        guard((socket.AF_INET, socket.SOCK_STREAM, 6, "", where))


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "socks5://10.0.0.5:1080", "10.0.0.5", ""])
async def test_a_proxy_is_named_by_its_address(proxy: str) -> None:
    with pytest.raises(SettingError, match="such as http://"):
        Sender(SystemClock(), proxy=proxy)
