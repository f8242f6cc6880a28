"""The operations on receivers and on what came to them."""

from __future__ import annotations

from tidings.api.openapi import acts
from tidings.api.openapi.acts import MAYBE, MAYBE_TIME, REPLAYED, TEXT, TIME, WHOLE, YES
from tidings.api.openapi.operations import operation
from tidings.api.openapi.parts import Object, array, parameter, record, response, schema
from tidings.api.problems import Problem
from tidings.events.media import JSON
from tidings.faces.receivers import OUTCOMES
from tidings.webhooks.intake.records import EVERY_MAX_S

_RECEIVER = parameter("path", "receiver", "The receiver's id.", TEXT)
_N = parameter("path", "n", "The receipt's number.", TEXT)
_IF_MATCH = parameter("header", "If-Match", "The ETag of what you have read; `*` for whatever there is.", TEXT)
_IF_NONE = parameter("header", "If-None-Match", "`*`: only if there is no such receiver.", TEXT)
_SEEN = (Problem.PRECONDITION_FAILED, Problem.PRECONDITION_REQUIRED)
_MAYBE_WHOLE: Object = {"type": ["integer", "null"]}
_OUTCOME: Object = {"enum": list(OUTCOMES)}


def receiver_schemas() -> dict[str, Object]:
    """Return the schemas of receivers."""
    receipt = _receipt()
    header = record({"name": TEXT, "value": TEXT})
    headers: Object = {"anyOf": [array(header), {"type": "null"}], "description": "Credentials are masked."}
    return {
        "Receiver": _receiver(),
        "ReceiverWanted": _wanted(),
        "Receipt": record(receipt),
        "WholeReceipt": record({**receipt, "method": MAYBE, "query": MAYBE, "headers": headers}),
        "MadeOfReceipt": record({"type": TEXT, "id": TEXT}),
    }


def _receiver() -> Object:
    return record(
        {
            "receiver": TEXT,
            "preset": TEXT,
            "source": TEXT,
            "public_url": MAYBE,
            "expected_every_s": {"type": ["number", "null"]},
            "setting_names": array(TEXT, description="What they say is not shown."),
            "secrets": WHOLE | {"description": "How many; nobody can see them."},
            "state": {"enum": ["active", "retired", "unreadable"]},
            "reason": MAYBE | {"description": "Of one whose secrets cannot be read here."},
            "declared": MAYBE | {"description": "Where, of one that the application's code declares."},
            "created": MAYBE_TIME,
            "version": _MAYBE_WHOLE,
            "last_seen": MAYBE_TIME,
            "silent": YES | {"description": "Nothing came for longer than `expected_every_s`."},
            "counts": record(
                dict.fromkeys((*OUTCOMES, "repeats"), WHOLE), description="Of the newest 10,000 receipts."
            ),
        }
    )


def _wanted() -> Object:
    time: Object = {"type": ["string", "null"], "format": "date-time"}
    bounds = {"name": MAYBE, "not_before": time, "not_after": time}
    secret: Object = {"anyOf": [TEXT, record({"text": TEXT, **bounds}, optional=tuple(bounds))]}
    settings: Object = {"type": ["object", "null"], "additionalProperties": TEXT}
    optional: dict[str, Object] = {
        "public_url": MAYBE,
        "expected_every_s": {"type": ["number", "null"], "minimum": 1, "maximum": EVERY_MAX_S},
        "secrets": {"anyOf": [array(secret), {"type": "null"}], "description": "Left out: those that are there."},
        "settings": settings | {"description": "Left out: those that are there."},
    }
    return record({"preset": TEXT, "source": TEXT, **optional}, optional=tuple(optional))


def _receipt() -> dict[str, Object]:
    return {
        "receipt": WHOLE,
        "receiver": TEXT,
        "source": TEXT,
        "received": TIME,
        "outcome": _OUTCOME,
        "error": MAYBE,
        "events": array(schema("MadeOfReceipt"), description="What it became, in order."),
        "seen": WHOLE | {"description": "How often it came."},
        "last_seen": TIME,
        "replayed": MAYBE_TIME,
        "replays": WHOLE,
        "bytes": _MAYBE_WHOLE | {"description": "Of the body; null: it is pruned."},
    }


def receiver_paths() -> dict[str, Object]:
    """Return the paths of receivers, and of what came to them."""
    page = record({"receivers": array(schema("Receiver")), "next": MAYBE})
    receipts = record({"receipts": array(schema("Receipt")), "next": MAYBE})
    of_one, one = [_RECEIVER], "/receivers/{receiver}"
    of_receipt, receipt = [_RECEIVER, _N], f"{one}/receipts/{{n}}"
    return {
        "/receivers": {"get": acts.page("listReceivers", "Where webhooks come in, by id", page, [])},
        one: {"parameters": of_one, "get": _get(), "put": _put(), "delete": _delete()},
        f"{one}/receipts": {
            "parameters": of_one,
            "get": acts.page("listReceipts", "What came, newest first", receipts, _filters(), Problem.NOT_FOUND),
        },
        receipt: {"parameters": of_receipt, "get": _get_receipt()},
        f"{receipt}/body": {"parameters": of_receipt, "get": _get_body()},
        f"{receipt}/replay": {"parameters": of_receipt, "post": _replay()},
    }


def _filters() -> list[Object]:
    return [
        parameter("query", "outcome", "Only those with this outcome.", _OUTCOME),
        parameter("query", "from", "Only those that came at this time or later.", TIME),
        parameter("query", "to", "Only those that came before this time.", TIME),
    ]


def _as_it_is() -> Object:
    return response("As it is now.", {JSON: schema("Receiver")}, ("ETag",))


def _get() -> Object:
    answers = {"200": _as_it_is()}
    return operation("getReceiver", "One receiver", [], answers, Problem.NOT_ACCEPTABLE, Problem.NOT_FOUND)


def _put() -> Object:
    made = response("It is made.", {JSON: schema("Receiver")}, ("ETag", "Location"))
    return operation(
        "putReceiver",
        "Make a receiver under this id, or give it this configuration; what is secret stays if it is left out",
        [_IF_MATCH, _IF_NONE],
        {"200": _as_it_is(), "201": made},
        *acts.BODY,
        *_SEEN,
        Problem.NOT_FOUND,
        Problem.ENDPOINT_STATE,
        requestBody=acts.json_body(schema("ReceiverWanted"), required=True),
    )


def _delete() -> Object:
    return operation(
        "retireReceiver",
        "Have it take nothing any more; what came stays",
        [_IF_MATCH],
        {"204": response("It is retired.")},
        *_SEEN,
        Problem.NOT_FOUND,
        Problem.ENDPOINT_STATE,
    )


def _get_receipt() -> Object:
    answers = {"200": response("As it is now.", {JSON: schema("WholeReceipt")})}
    return operation("getReceipt", "One receipt", [], answers, Problem.NOT_ACCEPTABLE, Problem.NOT_FOUND)


def _get_body() -> Object:
    answers = {"200": response("The bytes as they came.", {"application/octet-stream": {}})}
    kinds = (Problem.NOT_ACCEPTABLE, Problem.NOT_FOUND, Problem.RECEIPT_PRUNED)
    return operation("getBodyOfReceipt", "The body of a request, verbatim", [], answers, *kinds)


def _replay() -> Object:
    made = array(schema("MadeOfReceipt"))
    done = record(
        {"receiver": TEXT, "receipt": WHOLE, "outcome": {"enum": ["stored", "failed"]}, "error": MAYBE, "events": made}
    )
    return acts.keyed(
        "replayReceipt",
        "Make the stored bytes into events again, by the code as it is now",
        record({}),
        {"202": response("What became of it.", {JSON: done}, REPLAYED)},
        Problem.NOT_FOUND,
        Problem.CANNOT_REPLAY,
        Problem.EVENT_CONFLICT,
    )
