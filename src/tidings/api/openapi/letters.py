"""The operations on dead letters."""

from __future__ import annotations

from typing import Any

from tidings.api.letters import STATES as LETTER_STATES
from tidings.api.openapi import acts
from tidings.api.openapi.acts import DRY, MAYBE, MAYBE_TIME, MAYBE_TOKEN, REPLAYED, TEXT, TIME, WHOLE, YES
from tidings.api.openapi.parts import Object, array, parameter, record, response, schema
from tidings.api.problems import Problem
from tidings.events.media import JSON
from tidings.operations.dead import LETTER_KINDS, REASONS

_MAYBE_EVENT: Object = {"anyOf": [schema("Event"), {"type": "null"}]}
_LETTER = parameter("path", "n", "The dead letter's name, as the list shows it.", TEXT)


def letter_schemas() -> dict[str, Object]:
    """Return the schemas of what failed."""
    return {
        "DeadLetter": record(_letter()),
        "DeadLetterWithEvent": record(
            {**_letter(), "event": _MAYBE_EVENT, "subject_letters": array(TEXT)},
            description="`event` has its data only for those who may read events, too; null where there is none.",
        ),
    }


def _letter() -> dict[str, Any]:
    return {
        "dead_letter": TEXT,
        "kind": {"enum": list(LETTER_KINDS)},
        "consumer": MAYBE | {"description": "Of `handler`."},
        "endpoint": MAYBE | {"description": "Of a `delivery` to one."},
        "service": MAYBE | {"description": "Of a `delivery` to a function of it."},
        "function": MAYBE,
        "receiver": MAYBE | {"description": "Of `receipt`."},
        "subject": MAYBE,
        "state": {
            "enum": list(LETTER_STATES),
            "description": "`retrying`: tried again by itself, at `next_at`; `dead`: when an operator says so.",
        },
        "reason": TEXT,
        "error": TEXT,
        "attempts": WHOLE,
        "next_at": MAYBE_TIME,
        "parked_at": TIME,
        "is_head": YES,
        "followers": WHOLE,
        "position": MAYBE_TOKEN,
        "source": MAYBE,
        "id": MAYBE,
        "type": MAYBE,
        "dataversion": {"type": ["integer", "null"]},
    }


def letter_paths() -> dict[str, Object]:
    """Return the paths of what failed, and of what is done to it."""
    page = record({"dead_letters": array(schema("DeadLetter")), "next": MAYBE})
    return {
        "/dead-letters": {
            "get": acts.page(
                "listDeadLetters", "What failed, the longest parked first", page, _letter_filters(), Problem.NOT_FOUND
            )
        },
        **_letters_paths(),
        "/dead-letters/{n}": {
            "parameters": [_LETTER],
            "get": acts.get("getDeadLetter", "One dead letter with its event", schema("DeadLetterWithEvent"), one=True),
        },
        **_one_letter_paths(),
    }


def _letters_paths() -> dict[str, Object]:
    """Return the paths of what is done to many."""
    which: Object = {
        "kind": {"enum": [*LETTER_KINDS, None]},
        **dict.fromkeys(("consumer", "endpoint", "service", "receiver"), MAYBE),
        "state": {"enum": [*LETTER_STATES, None]},
        "reason": MAYBE,
    }
    where = record(which, optional=tuple(which))
    redriving = record({"where": where, "dry_run": DRY}, optional=("where", "dry_run"))
    some = where | {"minProperties": 1}
    dropping = record({"reason": TEXT, "where": some, "dry_run": DRY}, optional=("dry_run",))
    dropped = record({"subjects": WHOLE, "left": WHOLE, "dry_run": YES})
    given_up = {"200": response("So many are given up, and so many entries are left.", {JSON: dropped}, REPLAYED)}
    return {
        "/dead-letters/redrive": {
            "post": acts.keyed(
                "redriveDeadLetters",
                "Give all that fit back to what failed with them",
                redriving,
                _given_back(),
                Problem.NOT_FOUND,
                Problem.CANNOT_REPLAY,
            )
        },
        "/dead-letters/drop": {
            "post": acts.keyed(
                "dropDeadLetters",
                "Give up, for a reason, what failed of all subjects that fit; what waits behind it goes on",
                dropping,
                given_up,
                Problem.NOT_FOUND,
            )
        },
    }


def _one_letter_paths() -> dict[str, Object]:
    """Return the paths of what is done to one."""
    dropped = record({"dead_letter": TEXT, "left": WHOLE, "dry_run": YES})
    return {
        "/dead-letters/{n}/redrive": {
            "parameters": [_LETTER],
            "post": acts.keyed(
                "redriveDeadLetter",
                "Give it back to what failed with it, and what waits behind it after it",
                record({"dry_run": DRY}, optional=("dry_run",)),
                _given_back(),
                Problem.NOT_FOUND,
                Problem.CANNOT_REPLAY,
                Problem.NOT_SUBJECT_HEAD,
                Problem.EVENT_CONFLICT,
            ),
        },
        "/dead-letters/{n}/drop": {
            "parameters": [_LETTER],
            "post": acts.keyed(
                "dropDeadLetter",
                "Give it up for a reason; what waits behind it goes on",
                record({"reason": TEXT, "dry_run": DRY}, optional=("dry_run",)),
                {"200": response("It is given up, and so many are left.", {JSON: dropped}, REPLAYED)},
                Problem.NOT_FOUND,
                Problem.NOT_SUBJECT_HEAD,
            ),
        },
    }


def _given_back() -> dict[str, Object]:
    redriven = record({"subjects": WHOLE, "entries": WHOLE, "failed": WHOLE, "dry_run": YES})
    return {
        "200": response("So many there are; nothing was changed.", {JSON: redriven}, REPLAYED),
        "202": response("So many are due now.", {JSON: redriven}, REPLAYED),
    }


def _letter_filters() -> list[Object]:
    return [
        parameter("query", "kind", "Only of this kind.", {"enum": list(LETTER_KINDS)}),
        parameter("query", "consumer", "Only of this consumer.", TEXT),
        parameter("query", "endpoint", "Only deliveries to this endpoint.", TEXT),
        parameter("query", "service", "Only deliveries to functions of this service.", TEXT),
        parameter("query", "receiver", "Only receipts of this receiver.", TEXT),
        parameter("query", "state", "Only those that are tried again, or that are not.", {"enum": list(LETTER_STATES)}),
        parameter("query", "reason", "Only for this reason.", {"enum": sorted(REASONS)}),
    ]
