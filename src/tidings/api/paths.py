"""The path as it was sent: split at its slashes first, then each segment decoded once.

Servers decode the path before anyone can split it, which makes `%2F` a slash; `raw_path` still tells them apart.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_to_bytes

from tidings.api.answer import Scope
from tidings.errors import MalformedError

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = "-._~"


def raw_path(scope: Scope) -> str:
    """Return the path as it was sent, without the root path under which the application is mounted."""
    path = whole_path(scope)
    root: str = scope.get("root_path", "").rstrip("/")
    if not root or not f"{scope['path']}/".startswith(f"{root}/"):
        return path
    # Roots come decoded and paths do not, so they are told apart by their number of segments.
    return "/" + "/".join(path.split("/")[1 + root.count("/") :])


def mounted(scope: Scope, path: str) -> Scope | None:
    """Return the scope for an application that is mounted under this path; None if the request is not for it."""
    sent = raw_path(scope)
    if sent != path and not sent.startswith(f"{path}/"):
        return None
    root = scope.get("root_path", "").rstrip("/") + path
    return {**scope, "root_path": root, "path": root + unquote(sent[len(path) :])}


def whole_path(scope: Scope) -> str:
    """Return the path as it was sent, still percent-encoded."""
    sent: bytes | None = scope.get("raw_path")
    return sent.decode("ascii", "replace") if sent else quote(scope["path"])


def root_path(scope: Scope) -> str:
    """Return the path under which the application is mounted, percent-encoded, without a slash at its end."""
    root: str = scope.get("root_path", "").rstrip("/")
    return quote(root) if root else ""


def segment(raw: str) -> str:
    """Return one segment of a path, percent-decoded once; MalformedError if it is no UTF-8 or wrongly encoded."""
    if not raw.isascii():
        raise _malformed(raw, "it is not percent-encoded")
    if "%" not in raw:
        return raw
    if _BROKEN.search(raw):
        raise _malformed(raw, "a % is not followed by two hexadecimal digits")
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise _malformed(raw, "it is not UTF-8") from None


def to_path(*segments: str) -> str:
    """Return the path of these segments, each percent-encoded."""
    return "".join("/" + quote(part, safe=_UNRESERVED) for part in segments)


def _malformed(raw: str, why: str) -> MalformedError:
    return MalformedError(f"the segment {raw[:100]!r} of the path cannot be read: {why}")
