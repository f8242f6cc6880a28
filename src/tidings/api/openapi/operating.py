"""The operations by which operators look and act: consumers, dead letters, deliveries, and what became of an event."""

from __future__ import annotations

from tidings.api.openapi import acts
from tidings.api.openapi.acts import MAYBE, MAYBE_TIME, MAYBE_TOKEN, REPLAYED, TEXT, TIME, WHOLE, YES
from tidings.api.openapi.deliveries import delivery_paths, delivery_schemas
from tidings.api.openapi.endpoints import endpoint_paths, endpoint_schemas
from tidings.api.openapi.letters import letter_paths, letter_schemas
from tidings.api.openapi.parts import Object, array, parameter, record, ref, response, schema
from tidings.api.openapi.receivers import receiver_paths, receiver_schemas
from tidings.api.openapi.reconciliations import reconciliation_paths, reconciliation_schemas
from tidings.api.openapi.versions import version_paths, version_schemas
from tidings.api.problems import Problem
from tidings.events.media import JSON
from tidings.operations.inspect import DELIVERIES
from tidings.operations.inspect import STATES as STANDINGS
from tidings.store.deliveries import STATES

_LAG: Object = record({"entries": WHOLE, "at_least": YES, "seconds": {"type": "number"}})
_CONSUMER = parameter("path", "consumer", "The consumer's name.", TEXT)


def operating_schemas() -> dict[str, Object]:
    """Return the schemas of what operators see."""
    return {
        "Consumer": _consumer(),
        **letter_schemas(),
        **delivery_schemas(),
        **endpoint_schemas(),
        **version_schemas(),
        **receiver_schemas(),
        **reconciliation_schemas(),
    }


def _consumer() -> Object:
    partition = record(
        {
            "partition": WHOLE,
            "checkpoint": schema("Token"),
            "lag": _LAG,
            "owner": MAYBE | {"description": "Which process holds its lease, or held it last."},
            "until": MAYBE_TIME,
            "epoch": WHOLE,
        }
    )
    return record(
        {
            "consumer": TEXT,
            "state": {
                "enum": ["running", "stopped", "paused", "expired", "new", "inline", "replaced"],
                "description": "`running`: a process carries for it, or is about to; `stopped`: none does; `expired`: "
                "entries were removed before it had read them.",
            },
            "declared": {"type": ["boolean", "null"], "description": "Whether the application has it."},
            "paused": MAYBE | {"description": "Why."},
            "expired": MAYBE_TOKEN
            | {
                "description": "Up to where entries were removed before it had read them, also if it is paused: once "
                "it is resumed, its state is `expired`."
            },
            "types": {"anyOf": [array(TEXT), {"type": "null"}]},
            "head": schema("Token"),
            "checkpoint": MAYBE_TOKEN,
            "lag": _LAG,
            "parked": WHOLE | {"description": "Subjects that wait, in either state."},
            "retrying": WHOLE | {"description": "Those of them that are tried again by themselves."},
            "dead": WHOLE | {"description": "Those of them that wait for an operator."},
            "dead_letters": WHOLE | {"description": "The entries of all of them, until they are handled or dropped."},
            "partitions": array(partition),
        }
    )


def operating_paths() -> dict[str, Object]:
    """Return the paths of what operators do."""
    return {
        "/events/{source}/{id}/status": _status(),
        **_consumer_paths(),
        **letter_paths(),
        **delivery_paths(),
        **endpoint_paths(),
        **version_paths(),
        **receiver_paths(),
        **reconciliation_paths(),
    }


def _status() -> Object:
    standing = record(
        {
            "consumer": TEXT,
            "state": {"enum": list(STANDINGS)},
            "dead_letter": MAYBE,
            "dropped": {
                "anyOf": [record({"at": TIME, "who": TEXT, "reason": TEXT}), {"type": "null"}],
                "description": "When an operator gave it up for this consumer, who did and why: it was not handled.",
            },
        }
    )
    delivered = record(
        {"key": TEXT, "endpoint": TEXT, "state": {"enum": list(STATES)}, "attempts": WHOLE, "reason": MAYBE}
    )
    found = record(
        {
            "source": TEXT,
            "id": TEXT,
            "position": schema("Token"),
            "recorded": TIME,
            "consumers": array(standing),
            "deliveries": array(
                delivered, maxItems=DELIVERIES, description="To the endpoints that there are, by their ids."
            ),
        }
    )
    return {
        "parameters": [ref("parameters", "Source"), ref("parameters", "Id")],
        "get": acts.get(
            "getEventStatus", "Where an event is kept, what each consumer and each endpoint made of it", found, one=True
        ),
    }


def _consumer_paths() -> dict[str, Object]:
    one, shown = [_CONSUMER], schema("Consumer")
    all_of_them = record({"consumers": array(shown)})
    return {
        "/consumers": {"get": acts.get("listConsumers", "The consumers with their lag, by name", all_of_them)},
        "/consumers/{consumer}": {
            "parameters": one,
            "get": acts.get("getConsumer", "One consumer", shown, one=True),
        },
        "/consumers/{consumer}/pause": {
            "parameters": one,
            "post": acts.set_("pauseConsumer", "Stop a consumer for a reason", shown, {"reason": TEXT}),
        },
        "/consumers/{consumer}/resume": {
            "parameters": one,
            "post": acts.set_("resumeConsumer", "Let a paused consumer go on", shown, {}),
        },
        "/consumers/{consumer}/replay": {
            "parameters": one,
            "post": _replay(),
        },
    }


def _replay() -> Object:
    begin: Object = {
        "type": "object",
        "properties": {"from_position": schema("Token"), "from_time": TIME},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    replayed = record(
        {
            "consumer": TEXT,
            "after": schema("Token"),
            "gate": schema("Token"),
            "entries": WHOLE,
            "at_least": YES,
        }
    )
    return acts.keyed(
        "replayConsumer",
        "Have old entries handled again; nothing is emitted or delivered a second time",
        begin,
        {"202": response("It was set back.", {JSON: replayed}, REPLAYED)},
        Problem.NOT_FOUND,
        Problem.CANNOT_REPLAY,
        Problem.INVALID_POSITION,
    )
