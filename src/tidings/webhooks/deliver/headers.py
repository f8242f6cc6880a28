"""Which headers an endpoint may add to what it is sent: none that says something already, none that steers the way."""

from __future__ import annotations

import re
from collections.abc import Mapping

CUSTOM_MAX = 32
NAME_MAX = 64
VALUE_MAX = 1_024
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # token, RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
_PREFIXES = ("webhook-", "tidings-", "ce-", "proxy-", "sec-")
RESERVED = frozenset(
    {
        "idempotency-key", "traceparent", "tracestate", "user-agent", "deprecation", "sunset", "link",
        "content-type", "content-length", "content-encoding", "accept-encoding", "host", "expect",
        # Hop by hop, RFC 9110 section 7.6.1
        "connection", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade", "http2-settings",
    }
)  # fmt: skip


def as_read(name: str) -> str:
    """Return a header's name in the form in which two that receivers may take for one are equal.

    To whoever reads headers as CGI names them (RFC 3875 section 4.1.18) one with `_` for `-` is the same.
    """
    return name.lower().replace("_", "-")


def is_reserved(name: str) -> bool:
    """Say whether a header of this name, as anybody may read it, is not for an endpoint to set."""
    lowered = as_read(name)
    return lowered in RESERVED or lowered.startswith(_PREFIXES)


def fault_of(name: str, value: object) -> str | None:
    """Return what is wrong with a custom header; None if nothing is. No CR, LF or other control character passes."""
    if len(name) > NAME_MAX or not _NAME.fullmatch(name):
        return (
            f"a header's name is 1 to {NAME_MAX} characters of a token (RFC 9110), such as letters, digits and hyphens"
        )
    if is_reserved(name):
        return "this header is set by tidings or by the connection: choose another name"
    if not isinstance(value, str) or len(value) > VALUE_MAX or not _VALUE.fullmatch(value):
        return f"a header's value is at most {VALUE_MAX} visible ASCII characters, with spaces only between them"
    return None


def faults_of(headers: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return pairs of a header's name, "" for all of them, and what is wrong with it."""
    faults = [(name, why) for name, value in headers.items() if (why := fault_of(name, value))]
    if len(headers) > CUSTOM_MAX:
        faults.append(("", f"at most {CUSTOM_MAX} headers of one's own"))
    if len(set(map(as_read, headers))) < len(headers):
        faults.append(("", "a header stands there twice: names differ by more than case, or `_` for `-`"))
    return faults
