"""The operations on calls to the outside."""

from __future__ import annotations

from tidings.api.openapi import acts
from tidings.api.openapi.acts import MAYBE, MAYBE_TIME, TEXT, TIME, WHOLE
from tidings.api.openapi.parts import Object, array, parameter, record, schema
from tidings.api.problems import Problem
from tidings.operations.dead import REASONS
from tidings.store.deliveries import STATES as DELIVERY_STATES
from tidings.store.endpoint_deliveries import GONE, LISTED

_REASONS = {*REASONS, GONE, LISTED, "not-wanted"}
_DELIVERY = parameter("path", "key", "The delivery's key.", TEXT)


def delivery_schemas() -> dict[str, Object]:
    """Return the schemas of calls to the outside."""
    return {"Delivery": _delivery(), "Attempt": _attempt()}


def _delivery() -> Object:
    return record(
        {
            "key": TEXT,
            "service": MAYBE,
            "function": MAYBE,
            "endpoint": MAYBE,
            "position": {"type": ["integer", "null"]},
            "type": MAYBE,
            "subject": MAYBE,
            "pin": {"type": ["integer", "null"]},
            "state": {"enum": list(DELIVERY_STATES)},
            "attempts": WHOLE,
            "next_at": MAYBE_TIME,
            "reason": MAYBE,
            "error": MAYBE,
            "intended": TIME,
            "closed": MAYBE_TIME,
        }
    )


def _attempt() -> Object:
    return record(
        {
            "round": WHOLE,
            "attempt": WHOLE,
            "began": TIME,
            "duration_ms": {"type": ["number", "null"]},
            "outcome": MAYBE | {"description": "`delivered`, or why it failed; null while it is under way."},
            "error": MAYBE,
            "answer": {
                "type": ["object", "null"],
                "description": "Of an endpoint: `address`, `status`, `headers`, `body`, as far as they are kept; "
                "`withheld` where the address is not public, of which nothing but the status is.",
            },
        }
    )


def delivery_paths() -> dict[str, Object]:
    """Return the paths of calls to the outside."""
    page = record({"deliveries": array(schema("Delivery")), "next": MAYBE})
    tries = record({"attempts": array(schema("Attempt"))})
    return {
        "/deliveries": {
            "get": acts.page(
                "listDeliveries", "Calls to the outside, oldest first", page, _delivery_filters(), Problem.NOT_FOUND
            )
        },
        "/deliveries/{key}": {
            "parameters": [_DELIVERY],
            "get": acts.get("getDelivery", "One delivery", schema("Delivery"), one=True),
        },
        "/deliveries/{key}/attempts": {
            "parameters": [_DELIVERY],
            "get": acts.get(
                "listAttemptsOfDelivery", "Its attempts that are still kept, oldest first", tries, one=True
            ),
        },
        "/deliveries/{key}/cancel": {
            "parameters": [_DELIVERY],
            "post": acts.set_(
                "cancelDelivery",
                "Close one that is open or dead: it is called no more",
                schema("Delivery"),
                {"reason": TEXT},
                optional=("reason",),
            ),
        },
        "/deliveries/{key}/retry": {
            "parameters": [_DELIVERY],
            "post": acts.set_(
                "retryDelivery",
                "Call one now that is due or dead; a dead one has all its attempts anew",
                schema("Delivery"),
                {},
                status="202",
            ),
        },
    }


def _delivery_filters() -> list[Object]:
    return [
        parameter("query", "state", "Only those in this state.", {"enum": list(DELIVERY_STATES)}),
        parameter("query", "service", "Only of this service.", TEXT),
        parameter("query", "function", "Only of functions with this name.", TEXT),
        parameter("query", "endpoint", "Only those to this endpoint.", TEXT),
        parameter("query", "type", "Only those to endpoints of events of this type.", TEXT),
        parameter("query", "subject", "Only those to endpoints of events about this.", TEXT),
        parameter("query", "reason", "Only those that are as they are for this reason.", {"enum": sorted(_REASONS)}),
        parameter("query", "from", "Only those intended at this time or later.", TIME),
        parameter("query", "to", "Only those intended before this time.", TIME),
    ]
