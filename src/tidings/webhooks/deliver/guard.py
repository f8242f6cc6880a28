"""Nothing is sent to an address that nobody outside may lead us to: the check stands where a socket is made to dial.

It sees each concrete address, however its host was spelled, resolved or resolved again. A resolver would not: literal
addresses never ask one.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Address, Allowed, unwrapped


@dataclass(slots=True)
class Dialled:
    """What one attempt dialled and what it was kept from, as `address:port`; filled while it runs."""

    reached: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    @property
    def is_refused(self) -> bool:
        """Whether every address that there was has been refused."""
        return bool(self.refused) and not self.reached


class Guard:
    """Makes the sockets of outgoing connections, if their address is allowed. `proxy`: the only one that is."""

    def __init__(self, allowed: Allowed = ONLY_PUBLIC, *, proxy: tuple[Address, int] | None = None) -> None:
        self._allowed = allowed
        self._proxy = proxy

    def socket_for(self, family: int, where: tuple[Any, ...], dialled: Dialled) -> socket.socket | None:
        """Return a socket to dial this address with, None if nothing may be sent to it. OSError if there is none.

        `family` and `where`: as `socket.getaddrinfo` gives them. `dialled`: where it is noted.
        """
        if family not in (socket.AF_INET, socket.AF_INET6) or not self._may_reach(where[0], where[1]):
            dialled.refused.add(place(where) if len(where) > 1 else "a local socket")
            return None
        dialled.reached.append(place(where))
        return socket.socket(family, socket.SOCK_STREAM)

    def _may_reach(self, host: str, port: int) -> bool:
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if self._proxy is not None:
            return (unwrapped(address), port) == self._proxy
        return self._allowed.port(port) and self._allowed.address(address)


def place(where: tuple[Any, ...]) -> str:
    """Return a socket address as text: `203.0.113.7:443`, `[2001:db8::1]:443`."""
    host, port = where[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
