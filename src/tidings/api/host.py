"""The `Host` that a request must have, and have once: RFC 9112 section 3.2, RFC 9110 section 7.2."""

from __future__ import annotations

import re
from functools import lru_cache

from tidings.api.answer import Scope
from tidings.api.headers import values
from tidings.api.problems import Problem, Refusal

_HOST = re.compile(rb"(\[[0-9A-Za-z:.]+\]|(?:[0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(:[0-9]{0,5})?")


def check_host(scope: Scope) -> None:
    """Refuse, as `malformed-request`, a request with none, more than one, or one that is no host.

    A path that two readers take for two hosts' is a way past whoever stands between; HTTP/1.0 may go without.
    """
    hosts = values(scope, b"host")
    if len(hosts) == 1:
        if not _is_host(hosts[0]):
            raise _refused(f"{hosts[0].decode('latin-1')[:80]!r} is no host in a Host header")
    elif hosts:
        raise _refused(f"{len(hosts)} Host headers came")
    elif scope["http_version"] == "1.1":
        raise _refused("no Host header came")


@lru_cache(maxsize=256)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None


def _refused(what: str) -> Refusal:
    return Refusal(Problem.MALFORMED_REQUEST, f"{what}: send one, such as `Host: localhost:8080`")
