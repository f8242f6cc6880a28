"""An endpoint's URL, looked at when it is configured: a courtesy to whoever writes it. `guard` is the defence."""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Address, ip_address

from yarl import URL

from tidings.errors import EndpointRefusedError
from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Address, Allowed

URL_MAX = 2_048
KNOWN_URLS = 1_000
_UNWRITABLE = re.compile(r"[\x00-\x20\x7f\\]")
_USER = re.compile(r"[^/?#]*//[^/?#]*@")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", re.IGNORECASE)
_LOCAL = ("localhost", "localhost.localdomain")
_LOOPBACK = ip_address("127.0.0.1")


@lru_cache(maxsize=KNOWN_URLS)  # each of them is sent to often
def as_sent(url: str) -> str:
    """Return the URL as it goes out, and as whoever is sent to it sees it: what need not be escaped is not."""
    return str(URL(url)) if url else url


def checked(url: str, allowed: Allowed = ONLY_PUBLIC) -> URL:
    """Return the URL as it is dialled. EndpointRefusedError if nothing may be sent to it."""
    why = fault_of(url, allowed)
    if why is not None:
        raise EndpointRefusedError(f"url: {why}", errors=[("/url", why)])
    return URL(url)


def fault_of(url: str, allowed: Allowed = ONLY_PUBLIC) -> str | None:
    """Return what is wrong with the URL, with what is allowed instead; None if nothing is."""
    why = fault_of_form(url, allowed)
    return _fault_of_host(URL(url).raw_host or "", allowed) if why is None else why


def fault_of_form(url: str, allowed: Allowed = ONLY_PUBLIC) -> str | None:
    """Return what is wrong with the URL but for the address that its host may spell; None if nothing is."""
    if len(url) > URL_MAX:
        return f"at most {URL_MAX:,} characters"
    if _UNWRITABLE.search(url):
        return "a URL has no spaces, control characters or backslashes: percent-encode them"
    try:
        parsed = URL(url)
        host, port = parsed.raw_host, parsed.port
    except ValueError:
        return "expected a URL such as https://example.com/hooks"
    if parsed.scheme not in (("http", "https") if allowed.http else ("https",)):
        return f"expected a URL that begins with https://{' or http://' if allowed.http else ''}"
    if not host or ("%" in host and ":" not in host):
        return "expected a URL with a host that is not percent-encoded, such as https://example.com/hooks"
    if _USER.match(url):
        return "no user or password in the URL: put a header into `headers` instead"
    if "#" in url:
        return "no fragment: it is never sent"
    if port is None or not 0 < port < 65_536 or not allowed.port(port):
        return f"nothing is sent to this port here: {', '.join(map(str, sorted(allowed.ports))) or '1 to 65535'} may be"
    return None


def _fault_of_host(host: str, allowed: Allowed) -> str | None:
    address = literal(host)
    if address is not None and not allowed.address(address):
        return "nothing is sent to this address here: it is private, local or reserved"
    return None


def literal(host: str) -> Address | None:
    """Return the address that a host spells, also in the forms that only resolvers read; None for a name.

    Such forms are `127.1`, `2130706433`, `0x7f.0.0.1` and `0177.0.0.1`; yarl has made digits of other scripts ASCII.
    """
    name = host.lower().rstrip(".").removeprefix("[").removesuffix("]")
    if name in _LOCAL or name.endswith(".localhost"):
        return _LOOPBACK
    try:
        return ip_address(name.partition("%")[0])
    except ValueError:
        pass
    if not _NUMERIC.fullmatch(name):
        return None
    try:
        return IPv4Address(socket.inet_aton(name))
    except OSError:
        return None
