"""The guard's own table: every network that is refused, its neighbours, and what leads around a careless check."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.webhooks.deliver.addresses import METADATA, REFUSED, Allowed, is_public, unwrapped

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
    "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
    "223.255.255.255", "::ffff:8.8.8.8", "2000::1", "2001:200::", "2001:db7:ffff::1", "2001:db9::", "2003::",
    "2606:4700:4700::1111", "2a00:1450:4001:812::200e", "3ffe:ffff::1", "3fff:1000::",
]  # fmt: skip
PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
    "127.255.255.255", "169.254.0.1", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.0",
    "192.0.0.255", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0",
    "198.19.255.255", "198.51.100.1", "203.0.113.255", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::7f00:1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:0.0.0.0", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:1ff:ffff::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1",
    "3fff:fff:ffff::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1",
    "ff02::1", "1fff::1", "4000::1", "200::1", "400::1", "8000::1",
]  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_passes(text: str) -> None:
    assert is_public(ip_address(text))
    assert Allowed().address(ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_a_private_address_is_refused(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not Allowed().address(ip_address(text))


@pytest.mark.parametrize("net", REFUSED, ids=str)
def test_both_ends_of_a_refused_network_are_refused(net: object) -> None:
    network = ip_network(str(net))
    assert not is_public(network[0])
    assert not is_public(network[-1])


@given(st.ip_addresses())
def test_nothing_passes_that_the_interpreter_calls_private(address: IPv4Address | IPv6Address) -> None:
    """Its own list is not ours, and changes; but what it calls private is on ours in any release."""
    meant = unwrapped(address)
    if is_public(address):
        assert meant.is_global
        assert not any((meant.is_multicast, meant.is_reserved, meant.is_unspecified))


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_the_one_it_means(address: IPv4Address) -> None:
    assert is_public(IPv6Address(f"::ffff:{address}")) == is_public(address)
    assert not is_public(IPv6Address(f"64:ff9b::{address}"))
    assert not is_public(IPv6Address(f"::{address}"))


def test_a_subnet_that_a_deployment_allows_passes_in_every_form() -> None:
    allowed = Allowed(subnets=(ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
    assert all(allowed.address(ip_address(text)) for text in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "8.8.8.8"))
    assert not any(allowed.address(ip_address(text)) for text in ("10.2.0.1", "::ffff:10.2.0.1", "::1", "::10.1.2.3"))


@pytest.mark.parametrize("address", sorted(METADATA, key=str), ids=str)
def test_metadata_blocked_with_private_allowed(address: object) -> None:
    allowed = Allowed(subnets=tuple(map(ip_network, ("0.0.0.0/0", "::/0", f"{address}"))))
    assert not allowed.address(ip_address(str(address)))
    assert not allowed.address(ip_address("::ffff:169.254.169.254"))
    assert allowed.address(ip_address("169.254.1.1"))


@pytest.mark.parametrize("text", ["64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::a9fe:a9fe", "2002:a9fe:a9fe::1"])
def test_metadata_is_blocked_behind_a_translator_that_is_allowed(text: str) -> None:
    everywhere = Allowed(subnets=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert not everywhere.address(ip_address(text))
    assert everywhere.address(ip_address("64:ff9b::a01:203"))


def test_ports_are_any_until_some_are_named() -> None:
    assert Allowed().port(1)
    assert Allowed(ports=frozenset({443})).port(443)
    assert not Allowed(ports=frozenset({443})).port(80)
