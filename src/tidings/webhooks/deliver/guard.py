"""Nothing is sent to an address that nobody outside may lead us to: the check stands where a socket is made to dial.

It sees each concrete address, however its host was spelled, resolved or resolved again. A resolver would not: literal
addresses never ask one.
"""

from __future__ import annotations

import socket
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Address, Allowed, unwrapped

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` gives them: family, type, protocol, canonical name, socket address."""


class AddressRefused(OSError):
    """Nothing may be sent to this address. The text is always the same one.

    Several addresses of a host are dialled at once, and only errors with one text are not merged into another class.
    """

    def __init__(self) -> None:
        super().__init__("nothing may be sent to this address")


@dataclass(slots=True)
class Dialled:
    """What one attempt dialled and what it was kept from, as `address:port`; filled while it runs."""

    reached: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    @property
    def is_refused(self) -> bool:
        """Whether every address that there was has been refused."""
        return bool(self.refused) and not self.reached


_dialled: ContextVar[Dialled | None] = ContextVar("dialled", default=None)


class Guard:
    """Makes the sockets of outgoing connections, if their address is allowed. `proxy`: the only one that is."""

    def __init__(self, allowed: Allowed = ONLY_PUBLIC, *, proxy: tuple[Address, int] | None = None) -> None:
        self._allowed = allowed
        self._proxy = proxy

    def __call__(self, info: AddressInfo) -> socket.socket:
        """Return a socket for this address. AddressRefused."""
        family, kind, protocol, _, where = info
        noted = _dialled.get()
        if family not in (socket.AF_INET, socket.AF_INET6) or not self._may_reach(where[0], where[1]):
            if noted is not None:
                noted.refused.add(place(where) if len(where) > 1 else "a local socket")
            raise AddressRefused
        if noted is not None:
            noted.reached.append(place(where))
        return socket.socket(family, kind, protocol)

    def watch(self) -> Dialled:
        """Return what is dialled from now on by this task and those it starts, until it watches anew."""
        noted = Dialled()
        _dialled.set(noted)
        return noted

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
