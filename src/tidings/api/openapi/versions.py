"""The operations by which operators look at versions of events, and ask the planner."""

from __future__ import annotations

from typing import get_args

from tidings.api.openapi.acts import MAYBE, MAYBE_TIME, TEXT, TIME, WHOLE, YES
from tidings.api.openapi.operations import operation
from tidings.api.openapi.parts import Object, array, parameter, record, response, schema
from tidings.api.problems import Problem
from tidings.events.media import JSON
from tidings.operations.planner import KINDS
from tidings.store.versions import Gate, Life
from tidings.versions.answer import CODES, Word

_NUMBER: Object = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
_TYPE = parameter("path", "type", "The event type.", TEXT)
_VERSION: Object = {
    "type": TEXT,
    "version": WHOLE,
    "state": {"enum": list(get_args(Life))},
    "gate": {"enum": list(get_args(Gate)), "description": "Only an open version is appended."},
    "published": YES,
    "owner": MAYBE,
    "deprecated": MAYBE_TIME,
    "sunset": MAYBE_TIME,
    "migration": MAYBE,
    "emitted_by": array(TEXT),
    "accepted_by": array(TEXT),
    "stored": WHOLE,
}


def version_schemas() -> dict[str, Object]:
    """Return the schemas of versions and answers."""
    open_ = {"type": "object"}
    reason = {
        "type": "object",
        "properties": {"code": {"enum": list(CODES)}, "text": TEXT},
        "required": ["code", "text"],
    }
    as_of = record({"time": TIME, "position": WHOLE, "census": TEXT})
    answer = record(
        {
            "question": open_,
            "answer": {"enum": list(get_args(Word))},
            "reasons": array(reason),
            "next_steps": array(open_),
            "evidence": array(open_),
            "as_of": as_of,
        }
    )
    return {
        "EventVersion": record(_VERSION),
        "EventVersionSchema": record({**_VERSION, "sha256": TEXT, "schema": {"type": "object"}}),
        "PlannerAnswer": answer,
    }


def version_paths() -> dict[str, Object]:
    """Return the paths of versions."""
    all_of_them = record({"versions": array(schema("EventVersion"))})
    one = [_TYPE, parameter("path", "version", "One of its versions.", TEXT)]
    return {
        "/versions/may/{predicate}": {
            "parameters": [parameter("path", "predicate", "What is asked.", {"enum": list(KINDS)})],
            "get": _may(),
        },
        "/versions": {"get": _get("listVersions", "Every version of every event type", all_of_them)},
        "/versions/{type}": {
            "parameters": [_TYPE],
            "get": _get("listVersionsOfType", "The versions of one event type", all_of_them, Problem.NOT_FOUND),
        },
        "/versions/{type}/{version}": {
            "parameters": one,
            "get": _one(),
        },
    }


def _may() -> Object:
    texts = ("producer", "type", "consumer", "service", "revision")
    asked = [parameter("query", name, "As the question has it.", TEXT) for name in texts]
    asked += [parameter("query", name, "A version.", _NUMBER) for name in ("version", "from", "to")]
    asked.append(parameter("query", "after", "Of a replay: behind which position.", schema("Token")))
    asked.append(parameter("query", "assume_last", "Consumers, by commas, that are taken as they ran last.", TEXT))
    answers = {"200": response("As of now.", {JSON: schema("PlannerAnswer")})}
    return operation(
        "askPlanner",
        "May it be done now?",
        asked,
        answers,
        Problem.NOT_ACCEPTABLE,
        Problem.NOT_FOUND,
        Problem.INVALID_POSITION,
    )


def _one() -> Object:
    headers = ("Deprecation", "Sunset", "Link")
    answers = {"200": response("As it is now.", {JSON: schema("EventVersionSchema")}, headers)}
    summary = "One version, with its schema"
    return operation("getVersion", summary, [], answers, Problem.NOT_ACCEPTABLE, Problem.NOT_FOUND)


def _get(id: str, summary: str, shown: Object, *kinds: Problem) -> Object:
    answers = {"200": response("As it is now.", {JSON: shown})}
    return operation(id, summary, [], answers, Problem.NOT_ACCEPTABLE, *kinds)
