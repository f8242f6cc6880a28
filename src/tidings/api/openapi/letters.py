"""The operations on dead letters."""

from __future__ import annotations

from typing import Any

from tidings.api.letters import STATES as LETTER_STATES
from tidings.api.openapi import acts
from tidings.api.openapi.acts import DRY, MAYBE, MAYBE_TIME, REPLAYED, TEXT, TIME, WHOLE, YES
from tidings.api.openapi.parts import Object, array, parameter, record, response, schema
from tidings.api.problems import Problem
from tidings.consumers.retry import KINDS
from tidings.events.media import JSON

_LETTER = parameter("path", "n", "The dead letter's name, as the list shows it.", TEXT)


def letter_schemas() -> dict[str, Object]:
    """Return the schemas of what failed."""
    return {
        "DeadLetter": record(_letter()),
        "DeadLetterWithEvent": record(
            {**_letter(), "event": schema("Event"), "subject_letters": array(TEXT)},
            description="`event` has its data only for those who may read events, too.",
        ),
    }


def _letter() -> dict[str, Any]:
    return {
        "dead_letter": TEXT,
        "kind": {"const": "handler"},
        "consumer": TEXT,
        "subject": TEXT,
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
        "position": schema("Token"),
        "source": TEXT,
        "id": TEXT,
        "type": TEXT,
        "dataversion": WHOLE,
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
    which: Object = {"consumer": MAYBE, "state": {"enum": [*LETTER_STATES, None]}, "reason": MAYBE}
    redriving = record({**which, "dry_run": DRY}, optional=(*which, "dry_run"))
    where = record(which, optional=tuple(which)) | {"minProperties": 1}
    dropping = record({"reason": TEXT, "where": where, "dry_run": DRY}, optional=("dry_run",))
    dropped = record({"subjects": WHOLE, "left": WHOLE, "dry_run": YES})
    given_up = {"200": response("So many are given up, and so many entries are left.", {JSON: dropped}, REPLAYED)}
    return {
        "/dead-letters/redrive": {
            "post": acts.keyed(
                "redriveDeadLetters",
                "Give all that fit back to their handlers",
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
                "Give it back to its handler, and what waits behind it after it",
                record({"dry_run": DRY}, optional=("dry_run",)),
                _given_back(),
                Problem.NOT_FOUND,
                Problem.CANNOT_REPLAY,
                Problem.NOT_SUBJECT_HEAD,
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
    redriven = record({"subjects": WHOLE, "entries": WHOLE, "dry_run": YES})
    return {
        "200": response("So many there are; nothing was changed.", {JSON: redriven}, REPLAYED),
        "202": response("So many are due now.", {JSON: redriven}, REPLAYED),
    }


def _letter_filters() -> list[Object]:
    return [
        parameter("query", "consumer", "Only of this consumer.", TEXT),
        parameter("query", "state", "Only those that are tried again, or that are not.", {"enum": list(LETTER_STATES)}),
        parameter("query", "reason", "Only for this reason.", {"enum": sorted(KINDS)}),
    ]
