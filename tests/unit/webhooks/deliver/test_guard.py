"""Real connections to real sockets: a refused address never sees one, however it was spelled or resolved."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.unit.webhooks.deliver.parties import LOOPBACK, SECOND_ONLY, Names, Party, certified, listening, tunnel_to
from tidings.errors import SettingError
from tidings.ports import SystemClock
from tidings.webhooks.deliver.addresses import Allowed
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.guard import Dialled, Guard
from tidings.webhooks.deliver.limits import Limits
from tidings.webhooks.deliver.outcome import decide
from tidings.webhooks.deliver.sending import Sender

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
    "127。0。0。1", "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1", "0",
]  # fmt: skip


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
    assert Guard(allowed).socket_for(socket.AF_INET, ("127.0.0.1", party.port), Dialled()) is None


def test_local_sockets_cannot_be_reached() -> None:
    assert Guard(EVERYWHERE).socket_for(socket.AF_UNIX, ("/run/door",), Dialled()) is None


async def test_metadata_blocked_with_private_allowed() -> None:
    for host in ("169.254.169.254", "[::ffff:169.254.169.254]", "0xa9fea9fe", "[fd00:ec2::254]"):
        result = await sent(f"http://{host}/latest/meta-data/", EVERYWHERE)
        assert isinstance(result, Failure)
        assert result.kind == "address-refused"


async def test_through_a_proxy_only_the_proxy_is_dialled(party: Party) -> None:
    async with (
        listening("127.0.0.2", speak=tunnel_to(party)) as proxy,
        Sender(SystemClock(), HTTP, limits=LIMITS, proxy=f"http://127.0.0.2:{proxy.port}") as sender,
    ):
        result = await sender.send("http://receiver.example/hook", [("x-own", "canary")], b"{}")
    assert isinstance(result, Answer), result
    assert (result.status, result.address) == (200, f"127.0.0.2:{proxy.port}")
    assert (proxy.connections, party.connections) == (1, 1)
    assert proxy.requests[0].startswith(b"CONNECT receiver.example:80 HTTP/1.1\r\n")
    assert b"canary" not in proxy.requests[0]
    assert party.requests[0].startswith(b"POST /hook HTTP/1.1\r\nHost: receiver.example\r\n")
    assert b"proxy" not in party.requests[0].lower()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, "address-refused"),
        (407, "proxy-failed"),
        (410, "proxy-failed"),
        (429, "proxy-failed"),
        (500, "proxy-failed"),
        (502, "connect"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_says_whose_fault_it_is(status: int, kind: str, scheme: str) -> None:
    head = f"HTTP/1.1 {status} No\r\nWebhook-Delivery: disable\r\nContent-Length: 0\r\n\r\n"
    async with (
        listening("127.0.0.2", speak=head.encode()) as proxy,
        Sender(SystemClock(), HTTP, limits=LIMITS, proxy=f"http://127.0.0.2:{proxy.port}") as sender,
    ):
        result = await sender.send(f"{scheme}://example.com/hook", [], b"{}")
    assert isinstance(result, Failure), result
    assert (result.kind, f"answers {status}" in result.error) == (kind, True)
    assert decide(result, attempt=1, now=0, draw=0.5).effects.disable is None


async def test_a_proxy_that_speaks_no_http_is_our_fault() -> None:
    for answer in (b"garbage\r\n\r\n", b""):
        async with (
            listening("127.0.0.2", speak=answer) as proxy,
            Sender(SystemClock(), limits=LIMITS, proxy=f"http://127.0.0.2:{proxy.port}") as sender,
        ):
            result = await sender.send("https://example.com/hook", [], b"{}")
        assert isinstance(result, Failure)
        assert (result.kind, result.error) == ("proxy-failed", "the proxy opens no tunnel")


async def test_through_a_tunnel_the_receiver_is_spoken_to_and_the_proxy_told_nothing(tmp_path: Path) -> None:
    server, authority = certified(tmp_path, "receiver.example")
    async with listening(tls=server) as receiver, listening("127.0.0.2") as proxy:
        proxy.speak = tunnel_to(receiver)
        url = f"http://user:word@127.0.0.2:{proxy.port}"
        async with Sender(SystemClock(), limits=LIMITS, authorities=authority, proxy=url) as sender:
            result = await sender.send("https://receiver.example/hook", [("x-own", "canary")], b"{}")
    assert isinstance(result, Answer), result
    assert (result.status, result.header("x-proxy"), result.address) == (200, None, f"127.0.0.2:{proxy.port}")
    assert receiver.requests[0].startswith(b"POST /hook HTTP/1.1\r\n")
    assert proxy.requests[0].startswith(b"CONNECT receiver.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in proxy.requests[0]
    assert b"canary" not in proxy.requests[0]
    assert b"curl" not in proxy.requests[0].lower()


async def test_a_receiver_behind_a_tunnel_that_is_not_trusted_is_its_own_fault(tmp_path: Path) -> None:
    server, authority = certified(tmp_path, "other.example")
    async with listening(tls=server) as receiver, listening("127.0.0.2") as proxy:
        proxy.speak = tunnel_to(receiver)
        url = f"http://127.0.0.2:{proxy.port}"
        async with Sender(SystemClock(), limits=LIMITS, authorities=authority, proxy=url) as sender:
            result = await sender.send("https://receiver.example/hook", [], b"{}")
    assert isinstance(result, Failure)
    assert result.kind == "tls"
    assert receiver.requests == []


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
    own = guard.socket_for(socket.AF_INET, ("127.0.0.2", 3128), Dialled())
    assert own is not None
    own.close()
    assert guard.socket_for(socket.AF_INET, where, Dialled()) is None


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "socks5://10.0.0.5:1080", "10.0.0.5", ""])
async def test_a_proxy_is_named_by_its_address(proxy: str) -> None:
    with pytest.raises(SettingError, match="such as http://"):
        Sender(SystemClock(), proxy=proxy)
