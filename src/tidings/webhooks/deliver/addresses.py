"""Which network addresses may be sent to: a fixed list of ours, since the one of `ipaddress` changes between releases.

IANA's special-purpose registries (RFC 6890) and what leads around them: translated, tunnelled and mapped addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_V4 = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
)
_V6 = (
    "::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/7 "
    "fe80::/10 fec0::/10 ff00::/8"
)
REFUSED = tuple(ip_network(text) for text in (_V4 + " " + _V6).split())
_TRANSLATORS = tuple(IPv6Network(text) for text in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48"))
GLOBAL_V6 = IPv6Network("2000::/3")
_METADATA = (
    "169.254.169.254 169.254.169.253 169.254.170.2 169.254.170.23 169.254.0.23 100.100.100.200 192.0.0.192 "
    "168.63.129.16 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fe80::a9fe:a9fe"
)
METADATA = frozenset(ip_address(text) for text in _METADATA.split())
"""Where clouds tell a machine its credentials: refused whatever a deployment allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a deployment allows beyond public addresses, and what it leaves of them.

    `subnets`: private addresses that may be sent to. `ports`: the only ones; none named: any. `http`: URLs need not be
    HTTPS.
    """

    subnets: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()
    http: bool = False

    def port(self, port: int) -> bool:
        """Say whether this port may be sent to."""
        return not self.ports or port in self.ports

    def address(self, address: Address) -> bool:
        """Say whether this address may be sent to."""
        bare = unwrapped(address)
        if bare in METADATA or _translated(bare) in METADATA:
            return False
        return is_public(bare) or any(bare in net for net in self.subnets if net.version == bare.version)


ONLY_PUBLIC = Allowed()


def unwrapped(address: Address) -> Address:
    """Return the address without its zone, and the IPv4 address that an IPv4-mapped one (`::ffff:0:0/96`) means."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _translated(address: Address) -> Address | None:
    """Return the IPv4 address that a translator would send to for this one (RFC 6052, RFC 3056); None if none would."""
    if isinstance(address, IPv4Address):
        return None
    if any(address in net for net in _TRANSLATORS):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


def is_public(address: Address) -> bool:
    """Say whether an address is on none of the lists; an IPv6 address has to be global unicast besides."""
    bare = unwrapped(address)
    if bare.version == 6 and bare not in GLOBAL_V6:
        return False
    return not any(bare in net for net in REFUSED if net.version == bare.version)
