"""Requests as a server hands them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from tidings.api.answer import Message, Receive


def scope(
    method: str = "GET", target: str = "/", headers: Mapping[str, str] | Sequence[tuple[str, str]] = (), **more: Any
) -> dict[str, Any]:
    raw, _, query = target.partition("?")
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    if not any(name == "host" for name, _ in pairs):
        pairs.insert(0, ("host", "localhost:8080"))
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 50000),
    } | more


def receiving(*chunks: bytes, then: Message | None = None) -> Receive:
    """A body in these chunks; after them `then`, or the end of the body with the last chunk."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if then is None:
        messages[-1]["more_body"] = False
    else:
        messages.append(then)
    remaining = iter(messages)

    async def receive() -> Message:
        return next(remaining)

    return receive
