"""The operations on scopes that are reconciled, and on their runs."""

from __future__ import annotations

from typing import get_args

from tidings.api.openapi import acts
from tidings.api.openapi.acts import MAYBE, MAYBE_TIME, REPLAYED, TEXT, TIME, WHOLE, YES
from tidings.api.openapi.operations import operation
from tidings.api.openapi.parts import Object, array, parameter, record, response, schema
from tidings.api.problems import Problem
from tidings.events.media import JSON
from tidings.faces.scopes import CAUSES, FINDING_STATES, KINDS
from tidings.reconciliation.kept.attributing import IN_FLIGHT
from tidings.reconciliation.kept.records import Mode, RunState

_MAYBE_NUMBER: Object = {"type": ["number", "null"]}
_SCOPE = parameter("path", "scope", "The scope's name.", TEXT)
_RUN = parameter("path", "run", "The run's id.", TEXT)
_STATE: Object = {"enum": list(get_args(RunState))}


def reconciliation_schemas() -> dict[str, Object]:
    """Return the schemas of bounds, runs and findings."""
    excepted = record({"key": TEXT, "reason": TEXT, "since": TIME})
    bound = record({"as_of": MAYBE_TIME, "staleness_s": _MAYBE_NUMBER})
    run = _run()
    finding = record(
        {
            "id": TEXT,
            "kind": {"enum": list(KINDS)},
            "key": TEXT,
            "state": {"enum": list(FINDING_STATES)},
            "cause": {"enum": list(CAUSES)},
            "in_flight": YES | {"description": "Its event came a moment later, or still may."},
            "fields": array(
                record({"name": TEXT, "here": MAYBE, "there": MAYBE}),
                description="The members that differ, as JSON, cut if long; without the scope `views:read` no values.",
            ),
            "run": TEXT,
            "since": TIME,
        }
    )
    return {
        "Bounds": record(
            {
                "scope": TEXT,
                "upsert": bound | {"description": "Whatever existed by then is shown as it was then, or later."},
                "delete": bound | {"description": "So is what is absent."},
                "exceptions": array(excepted),
                "stopped": YES | {"description": "With more than 100 exceptions both bounds stand still."},
                "expected_s": _MAYBE_NUMBER
                | {"description": "How old it may become; null where nothing runs by itself."},
                "overdue": YES | {"description": "It is twice as old as that."},
                "ahead_s": {
                    "type": "number",
                    "description": "How far a time is off up to which something is taken for known; over 0 where a "
                    "clock was wrong.",
                },
                "run": {"anyOf": [record({"id": TEXT, "state": _STATE}), {"type": "null"}]},
            }
        ),
        "Reconciliation": record(run),
        "Finding": finding,
        "ReconciliationWithFindings": record(
            {**run, "causes": _causes(), "findings": array(schema("Finding")), "next": MAYBE}
        ),
    }


def _run() -> dict[str, Object]:
    pair = record({"upsert": MAYBE_TIME, "delete": MAYBE_TIME})
    changed = ("proposed", "appended", "asked", "deletes")
    counts = ("pages", "rows", "equal", "old", *changed, "suspects", "open_suspects", "omitted", "unreadable")
    return {
        "id": TEXT,
        "scope": TEXT,
        "mode": {"enum": list(get_args(Mode))},
        "dry": YES | {"description": "It changes nothing, but says what it would."},
        "state": _STATE,
        "reason": MAYBE,
        "started": TIME,
        "ended": MAYBE_TIME,
        **dict.fromkeys(counts, WHOLE),
        "held": array(
            TEXT,
            description="The keys that are deleted, or sent again, only once that is approved; the first 1,000.",
        ),
        "held_count": WHOLE | {"description": "How many there are."},
        "breaches": array(TEXT),
        "presence_only": MAYBE,
        "before": pair,
        "after": pair,
    }


def _causes() -> Object:
    """How many findings came to be why; a cause that none has is left out."""
    counts = dict.fromkeys((IN_FLIGHT, *CAUSES), WHOLE)
    return record(counts, optional=tuple(counts)) | {"description": "How many findings there are of each cause."}


def reconciliation_paths() -> dict[str, Object]:
    """Return the paths of scopes and runs."""
    runs = record({"reconciliations": array(schema("Reconciliation")), "next": MAYBE})
    scopes = record({"scopes": array(schema("Bounds"))})
    one = "/reconciliations/{run}"
    of_scope = [parameter("query", "scope", "Only of this scope.", TEXT)]
    of_kind = [parameter("query", "kind", "Only of this kind.", {"enum": list(KINDS)})]
    shown = schema("ReconciliationWithFindings")
    return {
        "/asof": {"get": _get("listBounds", "How far each copy is proved right", scopes)},
        "/asof/{scope}": {
            "parameters": [_SCOPE],
            "get": _get("getBounds", "How far one is", schema("Bounds"), Problem.NOT_FOUND),
        },
        "/reconciliations": {
            "get": acts.page("listReconciliations", "The runs, newest first", runs, of_scope, Problem.NOT_FOUND),
            "post": _begin(),
        },
        one: {
            "parameters": [_RUN],
            "get": acts.page("getReconciliation", "One run with its findings", shown, of_kind, Problem.NOT_FOUND),
        },
        f"{one}/approve": {"parameters": [_RUN], "post": _approve()},
        f"{one}/cancel": {"parameters": [_RUN], "post": _cancel()},
    }


def _begin() -> Object:
    body = record(
        {
            "scope": TEXT,
            "mode": {"enum": ["run", "plan"], "default": "run", "description": "A plan changes nothing."},
            "apply": {
                "type": "boolean",
                "default": False,
                "description": "Repair also if no dry run was made of this adapter and this view.",
            },
        },
        optional=("mode", "apply"),
    )
    summary = "Have a scope run by the process that carries it"
    return acts.keyed("beginReconciliation", summary, body, _begun(), Problem.NOT_FOUND, Problem.ALREADY_RUNNING) | {
        "requestBody": acts.json_body(body, required=True)
    }


def _approve() -> Object:
    body = record({"at_most": {"type": "integer", "minimum": 0, "maximum": 1_000_000}})
    summary = "List once more, and delete what the run has held, up to so many and no others"
    kinds = (Problem.NOT_FOUND, Problem.ALREADY_RUNNING, Problem.ENDPOINT_STATE)
    return acts.keyed("approveReconciliation", summary, body, _begun(), *kinds) | {
        "requestBody": acts.json_body(body, required=True)
    }


def _cancel() -> Object:
    answers = {"200": response("It has ended.", {JSON: schema("Reconciliation")})}
    return operation(
        "cancelReconciliation",
        "End a run that is under way",
        [],
        answers,
        *acts.BODY,
        Problem.NOT_FOUND,
        Problem.ENDPOINT_STATE,
        requestBody=acts.json_body(record({}), required=False),
    )


def _begun() -> dict[str, Object]:
    headers = (*REPLAYED, "Location")
    return {"202": response("It is made soon; look at it again.", {JSON: schema("Reconciliation")}, headers)}


def _get(id: str, summary: str, shown: Object, *kinds: Problem) -> Object:
    return operation(id, summary, [], {"200": response("As it is now.", {JSON: shown})}, Problem.NOT_ACCEPTABLE, *kinds)
