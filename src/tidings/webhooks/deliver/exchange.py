"""One request and what comes in answer to it, as libcurl tells it. The status decides: a body that fails is cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pycurl

from tidings.webhooks.deliver.answer import Answer, Failure, FailureKind
from tidings.webhooks.deliver.excerpt import excerpt_of, headers_of
from tidings.webhooks.deliver.fault import REFUSED, fault_of
from tidings.webhooks.deliver.guard import Dialled, Guard, place
from tidings.webhooks.deliver.kept import Kept
from tidings.webhooks.deliver.limits import Limits
from tidings.webhooks.deliver.posting import Then
from tidings.webhooks.deliver.transfers import Ended

_STOP = -1
_ENDS = (b"\r\n", b"\n")
_NO_SOCKET: int = pycurl.SOCKET_BAD
_GO: int = pycurl.PREREQFUNC_OK
_DO_NOT: int = pycurl.PREREQFUNC_ABORT


class Exchange:
    """Has a handle of libcurl's to itself, for one request after the other. What libcurl calls never raises.

    `ended`: who is told that the request has ended. Of each request: `host`, `began` (by the clock), and `then`.
    """

    ended: Callable[[Ended], None]
    host: str
    began: float
    then: Then | None = None

    def __init__(self, handle: pycurl.Curl, guard: Guard, kept: Kept, limits: Limits, *, is_proxied: bool) -> None:
        self.handle = handle
        self._is_proxied = is_proxied
        self._guard = guard
        self._kept = kept
        self._limits = limits
        self._url = ""
        self._address: str | None = None
        self._dialled, self._opened = Dialled(), list[int]()
        self._head, self._body = list[bytes](), bytearray()
        self._clear()
        handle.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        handle.setopt(pycurl.PREREQFUNCTION, self._say)
        handle.setopt(pycurl.HEADERFUNCTION, self._take_line)
        handle.setopt(pycurl.WRITEFUNCTION, self._take_body)

    def begin(self, url: str, lines: Sequence[bytes], body: bytes, resolved: Sequence[str]) -> None:
        """Make ready for a request. `lines`: headers; `resolved`: names with addresses; both as libcurl takes them."""
        if url != self._url:
            self.handle.setopt(pycurl.URL, url)
            self._url = url
        self.handle.setopt(pycurl.HTTPHEADER, lines)
        self.handle.setopt(pycurl.POSTFIELDS, body)
        if resolved:
            self.handle.setopt(pycurl.RESOLVE, resolved)

    def end(self) -> None:
        """Keep nothing of what was sent and came."""
        self.handle.setopt(pycurl.POSTFIELDS, b"")
        self.then = None
        self._clear()

    def _clear(self) -> None:
        if self._dialled.reached or self._dialled.refused:
            self._dialled = Dialled()
        self._opened.clear()
        self._head.clear()
        self._body.clear()
        self._head_bytes, self.source, self._address = 0, "", None
        self._is_whole = self._is_too_long = self._is_enough = self.is_stale = False

    def told(self, ended: Ended, *, is_private: bool, duration_us: int) -> Answer | Failure:
        """Return what came of the request. `is_private`: whether the answer is from such an address."""
        refused = tuple(sorted(self._dialled.refused)) if self._dialled.refused else ()
        if self._is_whole:
            is_all = ended.code == pycurl.E_OK
            return Answer(
                status=self.handle.getinfo(pycurl.RESPONSE_CODE),
                headers=headers_of(self._head),
                body=excerpt_of(bytes(self._body), is_all=is_all),
                cut=None if is_all or self._is_enough else _cut_by(ended),
                is_private=is_private,
                address=self._address,
                refused=refused,
                duration_us=duration_us,
            )
        kind, why = self._why(ended)
        address = self._address or (self._dialled.reached[-1] if self._dialled.reached else None)
        return Failure(kind=kind, error=why, address=address, refused=refused, duration_us=duration_us)

    def _why(self, ended: Ended) -> tuple[FailureKind, str]:
        if self._is_too_long:
            return "protocol", f"the head of the answer has more than {self._limits.head_bytes:,} bytes"
        if self._dialled.is_refused:
            return "address-refused", REFUSED
        return fault_of(ended, is_said=self._address is not None, is_proxied=self._is_proxied)

    def _open(self, purpose: int, address: Any) -> int:
        """Make a socket for an address that is to be dialled, if it may be and the request is not said already."""
        if self._address is not None:
            return _NO_SOCKET
        try:
            made = self._guard.socket_for(address.family, address.addr, self._dialled)
        except OSError:
            return _NO_SOCKET
        if made is None:
            return _NO_SOCKET
        number = made.detach()
        self._opened.append(number)
        return number

    def _say(self, there: str, here: str, port: int, own_port: int) -> int:
        """Decide whether the request is said on this connection. It is said once: libcurl would try it again."""
        ends = (there, here, port, own_port)
        if self._address is not None:
            return _DO_NOT
        if self._opened:
            self._kept.note(ends, self._opened)
        elif self._kept.has_ended(ends):
            self.is_stale = True
            return _DO_NOT
        self.source, self._address = there, place((there, port))
        return _GO

    def _take_line(self, line: bytes) -> int | None:
        """Take a line of a head. Those of tunnels and of interim answers are none of the answer, nor are trailers."""
        if self._is_whole or self._address is None:
            return None
        self._head_bytes += len(line)
        if self._head_bytes > self._limits.head_bytes:
            self._is_too_long = True
            return _STOP
        if line not in _ENDS:
            self._head.append(line)
        elif _is_interim(self._head):
            self._head.clear()
        else:
            self._is_whole = True
        return None

    def _take_body(self, data: bytes) -> int | None:
        room = self._limits.read_bytes - len(self._body)
        self._body += data[:room]
        self._is_enough = len(data) > room
        return _STOP if self._is_enough else None


def _cut_by(ended: Ended) -> FailureKind:
    return "timeout" if ended.code == pycurl.E_OPERATION_TIMEDOUT else "protocol"


def _is_interim(head: Sequence[bytes]) -> bool:
    """Say whether another head is to follow (RFC 9110 section 15.2)."""
    return not head or head[0].partition(b" ")[2].lstrip().startswith(b"1")
