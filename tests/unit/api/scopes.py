"""Requests as a server hands them over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tidings.api.answer import Application, Message, Receive


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
        "http_version": "1.1",
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


@dataclass(frozen=True)
class Reply:
    """What an application sent back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def slug(self) -> str:
        return str(self.json["type"]).rpartition(":")[2]


async def ask(
    app: Application,
    method: str = "GET",
    target: str = "/",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    **more: Any,
) -> Reply:
    """Send one request to an ASGI application, and return its whole answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope(method, target, headers, **more), receiving(body), send)
    start, *parts = sent
    names = [name.decode() for name, _ in start["headers"]]
    assert len(names) == len(set(names)), f"a header stands twice: {names}"
    return Reply(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(part["body"] for part in parts),
    )
