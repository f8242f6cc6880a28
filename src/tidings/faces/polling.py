"""What a receiver is given that polls."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec

from tidings.events.cloudevents import shown, write_structured
from tidings.faces.tokens import Tokens
from tidings.operations.polling import Polled, PolledPage


def page_object(tokens: Tokens, page: PolledPage, *, is_signed: bool) -> dict[str, Any]:
    """Return a page. `is_signed`: with the request that a push would have been, too."""
    return {
        "deliveries": [polled_object(tokens, each, is_signed=is_signed) for each in page.deliveries],
        "iterator": page.iterator,
        "done": page.done,
    }


def polled_object(tokens: Tokens, polled: Polled, *, is_signed: bool) -> dict[str, Any]:
    """Return one delivery with its event."""
    told = {
        "delivery": polled.claimed.delivery.key,
        "webhook_id": polled.message,
        "position": tokens.write(polled.entry.position),
        "attempt": polled.claimed.attempt,
        "event": msgspec.Raw(write_structured(shown(polled.entry))),
    }
    return {**told, "request": request_object(polled)} if is_signed else told


def request_object(polled: Polled) -> dict[str, Any]:
    """Return headers and body, byte for byte as they would have been posted; what is no text is `body_base64`."""
    headers, body = dict(polled.request.headers), polled.request.body
    try:
        return {"headers": headers, "body": body.decode()}
    except UnicodeDecodeError:
        return {"headers": headers, "body_base64": b64encode(body).decode()}
