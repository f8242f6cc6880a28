"""The operations by which operators look and act: consumers, dead letters, deliveries, and what became of an event."""

from __future__ import annotations

from typing import Any

from tidings.api.deliveries import STATES as DELIVERY_STATES
from tidings.api.letters import STATES as LETTER_STATES
from tidings.api.openapi.operations import KEYED, operation
from tidings.api.openapi.parts import Object, array, parameter, record, ref, response, schema
from tidings.api.problems import Problem
from tidings.consumers.retry import KINDS
from tidings.events.media import JSON

_TEXT: Object = {"type": "string"}
_MAYBE: Object = {"type": ["string", "null"]}
_WHOLE: Object = {"type": "integer"}
_YES: Object = {"type": "boolean"}
_TIME: Object = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Object = {"anyOf": [_TIME, {"type": "null"}]}
_MAYBE_TOKEN: Object = {"anyOf": [schema("Token"), {"type": "null"}]}
_LAG: Object = record({"entries": _WHOLE, "at_least": _YES, "seconds": {"type": "number"}})
_BODY = (
    Problem.BODY_TIMEOUT,
    Problem.BODY_TOO_LARGE,
    Problem.UNSUPPORTED_MEDIA_TYPE,
    Problem.INVALID_CONFIGURATION,
)
_REPLAYED = ("Idempotency-Replayed",)
_CONSUMER = parameter("path", "consumer", "The consumer's name.", _TEXT)
_LETTER = parameter("path", "n", "The dead letter's name, as the list shows it.", _TEXT)
_DELIVERY = parameter("path", "key", "The delivery's key.", _TEXT)
_DRY: Object = {"type": "boolean", "default": False, "description": "Count, and change nothing."}


def operating_schemas() -> dict[str, Object]:
    """Return the schemas of what operators see."""
    partition = record(
        {
            "part": _WHOLE,
            "checkpoint": schema("Token"),
            "lag": _LAG,
            "owner": _MAYBE | {"description": "Which process holds its lease, or held it last."},
            "until": _MAYBE_TIME,
            "epoch": _WHOLE,
        }
    )
    return {
        "Consumer": record(
            {
                "consumer": _TEXT,
                "state": {"enum": ["running", "stopped", "paused", "new", "inline", "replaced"]},
                "paused": _MAYBE | {"description": "Why."},
                "types": {"anyOf": [array(_TEXT), {"type": "null"}]},
                "head": schema("Token"),
                "checkpoint": _MAYBE_TOKEN,
                "lag": _LAG,
                "parked": _WHOLE,
                "dead": _WHOLE,
                "dead_letters": _WHOLE,
                "partitions": array(partition),
            }
        ),
        "DeadLetter": record(_letter()),
        "DeadLetterWithEvent": record(
            {**_letter(), "event": schema("Event"), "subject_letters": array(_TEXT)},
            description="`event` has its data only for those who may read events, too.",
        ),
        "Delivery": record(
            {
                "key": _TEXT,
                "service": _TEXT,
                "function": _TEXT,
                "state": {"enum": list(DELIVERY_STATES)},
                "attempts": _WHOLE,
                "next_at": _MAYBE_TIME,
                "reason": _MAYBE,
                "error": _MAYBE,
            }
        ),
    }


def _letter() -> dict[str, Any]:
    return {
        "dead_letter": _TEXT,
        "kind": {"const": "handler"},
        "consumer": _TEXT,
        "subject": _TEXT,
        "state": {"enum": list(LETTER_STATES)},
        "reason": _TEXT,
        "error": _TEXT,
        "attempts": _WHOLE,
        "next_at": _MAYBE_TIME,
        "parked_at": _TIME,
        "is_head": _YES,
        "followers": _WHOLE,
        "position": schema("Token"),
        "source": _TEXT,
        "id": _TEXT,
        "type": _TEXT,
        "dataversion": _WHOLE,
    }


def operating_paths() -> dict[str, Object]:
    """Return the paths of what operators do."""
    return {"/events/{source}/{id}/status": _status(), **_consumer_paths(), **_letter_paths(), **_delivery_paths()}


def _status() -> Object:
    standing = record(
        {
            "consumer": _TEXT,
            "state": {"enum": ["settled", "ahead", "parked", "unread", "unknown"]},
            "dead_letter": _MAYBE,
        }
    )
    found = record(
        {
            "source": _TEXT,
            "id": _TEXT,
            "position": schema("Token"),
            "recorded": _TIME,
            "consumers": array(standing),
        }
    )
    return {
        "parameters": [ref("parameters", "Source"), ref("parameters", "Id")],
        "get": _get("getEventStatus", "Where an event is kept, and how each consumer stands to it", found, one=True),
    }


def _consumer_paths() -> dict[str, Object]:
    one, shown = [_CONSUMER], schema("Consumer")
    all_of_them = record({"consumers": array(shown)})
    begin: Object = {
        "type": "object",
        "properties": {"from_position": schema("Token"), "from_time": _TIME},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    replayed = record(
        {
            "consumer": _TEXT,
            "after": schema("Token"),
            "gate": schema("Token"),
            "entries": _WHOLE,
            "at_least": _YES,
        }
    )
    return {
        "/consumers": {"get": _get("listConsumers", "The consumers with their lag, by name", all_of_them)},
        "/consumers/{consumer}": {
            "parameters": one,
            "get": _get("getConsumer", "One consumer", shown, one=True),
        },
        "/consumers/{consumer}/pause": {
            "parameters": one,
            "post": _set("pauseConsumer", "Stop a consumer for a reason", shown, {"reason": _TEXT}),
        },
        "/consumers/{consumer}/resume": {
            "parameters": one,
            "post": _set("resumeConsumer", "Let a paused consumer go on", shown, {}),
        },
        "/consumers/{consumer}/replay": {
            "parameters": one,
            "post": _keyed(
                "replayConsumer",
                "Have old entries handled again; nothing is emitted or delivered a second time",
                begin,
                {"202": response("It was set back.", {JSON: replayed}, _REPLAYED)},
                Problem.NOT_FOUND,
                Problem.CANNOT_REPLAY,
                Problem.INVALID_POSITION,
            ),
        },
    }


def _letter_paths() -> dict[str, Object]:
    page = record({"dead_letters": array(schema("DeadLetter")), "next": _MAYBE})
    which = record(
        {"consumer": _MAYBE, "state": {"enum": [*LETTER_STATES, None]}, "reason": _MAYBE, "dry_run": _DRY},
        optional=("consumer", "state", "reason", "dry_run"),
    )
    redriven = record({"subjects": _WHOLE, "entries": _WHOLE, "dry_run": _YES})
    given_back = {
        "200": response("So many there are; nothing was changed.", {JSON: redriven}, _REPLAYED),
        "202": response("So many are due now.", {JSON: redriven}, _REPLAYED),
    }
    dropped = record({"dead_letter": _TEXT, "left": _WHOLE, "dry_run": _YES})
    return {
        "/dead-letters": {
            "get": _page(
                "listDeadLetters", "What failed, the longest parked first", page, _letter_filters(), Problem.NOT_FOUND
            )
        },
        "/dead-letters/redrive": {
            "post": _keyed(
                "redriveDeadLetters", "Give all that fit back to their handlers", which, given_back, Problem.NOT_FOUND
            )
        },
        "/dead-letters/{n}": {
            "parameters": [_LETTER],
            "get": _get("getDeadLetter", "One dead letter with its event", schema("DeadLetterWithEvent"), one=True),
        },
        "/dead-letters/{n}/redrive": {
            "parameters": [_LETTER],
            "post": _keyed(
                "redriveDeadLetter",
                "Give it back to its handler, and what waits behind it after it",
                record({"dry_run": _DRY}, optional=("dry_run",)),
                given_back,
                Problem.NOT_FOUND,
                Problem.NOT_SUBJECT_HEAD,
            ),
        },
        "/dead-letters/{n}/drop": {
            "parameters": [_LETTER],
            "post": _keyed(
                "dropDeadLetter",
                "Give it up for a reason; what waits behind it goes on",
                record({"reason": _TEXT, "dry_run": _DRY}, optional=("dry_run",)),
                {"200": response("It is given up, and so many are left.", {JSON: dropped}, _REPLAYED)},
                Problem.NOT_FOUND,
                Problem.NOT_SUBJECT_HEAD,
            ),
        },
    }


def _letter_filters() -> list[Object]:
    return [
        parameter("query", "consumer", "Only of this consumer.", _TEXT),
        parameter("query", "state", "Only those that are tried again, or that are not.", {"enum": list(LETTER_STATES)}),
        parameter("query", "reason", "Only for this reason.", {"enum": sorted(KINDS)}),
    ]


def _delivery_paths() -> dict[str, Object]:
    state = parameter("query", "state", "Only those in this state.", {"enum": list(DELIVERY_STATES)})
    page = record({"deliveries": array(schema("Delivery")), "next": _MAYBE})
    return {
        "/deliveries": {"get": _page("listDeliveries", "Calls to the outside, oldest first", page, [state])},
        "/deliveries/{key}": {
            "parameters": [_DELIVERY],
            "get": _get("getDelivery", "One delivery", schema("Delivery"), one=True),
        },
        "/deliveries/{key}/attempt": {
            "parameters": [_DELIVERY],
            "post": _set("attemptDelivery", "Try a dead delivery again", schema("Delivery"), {}, status="202"),
        },
    }


def _get(id: str, summary: str, shown: Object, *, one: bool = False) -> Object:
    headers = () if id.endswith(("Letter", "Delivery")) else ("Tidings-Position",)
    answers = {"200": response("As it is now.", {JSON: shown}, headers)}
    return operation(id, summary, [], answers, Problem.NOT_ACCEPTABLE, *([Problem.NOT_FOUND] if one else []))


def _page(id: str, summary: str, shown: Object, filters: list[Object], *kinds: Problem) -> Object:
    paging = [ref("parameters", "After"), ref("parameters", "Limit")]
    answers = {"200": response("`next` is null behind the last one.", {JSON: shown})}
    return operation(id, summary, [*paging, *filters], answers, Problem.NOT_ACCEPTABLE, *kinds)


def _set(id: str, summary: str, shown: Object, members: Object, *, status: str = "200") -> Object:
    headers = ("Tidings-Position",) if status == "200" else ()
    answers = {status: response("As it is now.", {JSON: shown}, headers)}
    kinds = (*_BODY, Problem.NOT_FOUND, Problem.ENDPOINT_STATE)
    return operation(id, summary, [], answers, *kinds, requestBody=_json(record(members), required=bool(members)))


def _keyed(id: str, summary: str, body: Object, answers: Object, *kinds: Problem) -> Object:
    key = {**ref("parameters", "Key")}
    return operation(id, summary, [key], answers, *_BODY, *KEYED, *kinds, requestBody=_json(body, required=False))


def _json(of: Object, *, required: bool) -> Object:
    return {"required": required, "content": {JSON: {"schema": of}}}
