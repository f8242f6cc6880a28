"""Who may speak to a server: whoever has an API key; where there is none, programs on this machine, directly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

from tidings.api.answer import Scope
from tidings.api.headers import by_name, values
from tidings.api.paths import raw_path
from tidings.api.problems import Problem, Refusal
from tidings.operations.admission import LOCAL, Admission, Principal

METRICS = "/metrics"
_FORWARDED = frozenset({b"forwarded", b"via", b"x-real-ip"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CHALLENGE = (b"www-authenticate", b"Bearer")
_BEARER = re.compile(rb"(?i:bearer) +([!-~]{1,200})")


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Say whether a host, a name or an address, can only mean this machine."""
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


async def admit(admission: Admission, scope: Scope) -> Principal:
    """Return who makes the request. `unauthenticated`, in the same words whatever is wrong with the key.

    A scrape outlasts a store that does not answer, as of `Admission`: it is how an operator hears of that.
    """
    outlasts = raw_path(scope) == METRICS
    if await admission.is_keyless(outlasts=outlasts):
        admit_local(scope)
        return LOCAL
    given = values(scope, b"authorization")
    found = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    principal = None if found is None else await admission.of_token(found[1].decode("ascii"), outlasts=outlasts)
    if principal is None:
        why = "send the token of a key that is neither revoked nor expired, as one header: `Authorization: Bearer td_…`"
        raise Refusal(Problem.UNAUTHENTICATED, why, _CHALLENGE)
    return principal


def admit_local(scope: Scope) -> None:
    """Refuse, as `unauthenticated`, whatever may come from elsewhere.

    A Host that is no loopback name is a page that rebound its own name to this machine; a forwarding header (RFC 7239,
    RFC 9110 section 7.6.3, and those that proxies add of old) is a proxy that makes every client look local; a foreign
    Origin on a change is another site's page in a local browser. A proxy on this machine that adds none of these
    headers and names this machine as Host looks as a program here does: nothing tells them apart.
    That there is one Host at most, `check_host` has seen.
    """
    sent = by_name(scope)
    if not _FORWARDED.isdisjoint(sent) or b" ".join((b"", *sent)).find(b" x-forwarded-") >= 0:
        raise _refused(f"a {_forwarding(sent).decode('latin-1')} header")
    origin = sent.get(b"origin")
    if origin is not None and len(values(scope, b"origin")) > 1:
        raise _refused("two Origin headers")
    client = scope.get("client")
    if client and not is_loopback(client[0]):
        raise _refused("a client on another machine")
    host = sent.get(b"host")
    if host is None or not _names_this_machine(host):
        raise _refused("a Host that is no loopback name")
    if origin is not None and scope["method"] not in _SAFE and origin != _own_origin(scope, host):
        raise _refused("a page of another origin")


def _forwarding(names: Iterable[bytes]) -> bytes:
    return next(name for name in names if name in _FORWARDED or name.startswith(b"x-forwarded-"))


@lru_cache(maxsize=256)
def _names_this_machine(host: bytes) -> bool:
    name, colon, port = host.decode("latin-1").rpartition(":")
    if colon and port.isdigit():
        return is_loopback(name)
    return is_loopback(host.decode("latin-1"))


def _own_origin(scope: Scope, host: bytes) -> bytes:
    return str(scope.get("scheme", "http")).encode() + b"://" + host


def _refused(what: str) -> Refusal:
    return Refusal(
        Problem.UNAUTHENTICATED,
        f"without API keys this server answers only direct requests from this machine, and this one has {what}: call "
        "it directly, as localhost, or have its operator make a key with `tidings keys add`, and send that",
        _CHALLENGE,
    )
