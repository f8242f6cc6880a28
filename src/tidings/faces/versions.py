"""Versions, gates, answers and plans as JSON, the same over HTTP and on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tidings.store.versions import EventVersion
from tidings.versions.answer import Answer, AsOf, Reason
from tidings.versions.census import Census
from tidings.versions.plan import Plan
from tidings.versions.reasons.names import second_of


def version_object(row: EventVersion, known: Census) -> dict[str, Any]:
    """Return one version: its state and gate, who emits and accepts it, and how many entries of it are stored."""
    kind = (row.type, row.version)
    live = [*known.live("accept", row.type), *known.live("emit", row.type)]
    return {
        "type": row.type,
        "version": row.version,
        "state": row.life,
        "gate": row.gate,
        "published": row.published,
        "owner": row.owner or None,
        "deprecated": None if row.deprecated is None else second_of(row.deprecated),
        "sunset": None if row.sunset is None else second_of(row.sunset),
        "migration": row.migration or None,
        "emitted_by": sorted(
            {each.service for each in live if each.role == "emit" and each.service and row.version in each.versions}
        ),
        "accepted_by": sorted(
            {each.consumer for each in live if each.role == "accept" and row.version in each.versions}
        ),
        "stored": known.stored.get(kind, 0),
    }


def schema_object(row: EventVersion, known: Census) -> dict[str, Any]:
    """Return one version with its JSON Schema."""
    return {**version_object(row, known), "sha256": row.sha256, "schema": json.loads(row.schema)}


def answer_object(answer: Answer) -> dict[str, Any]:
    """Return an answer in the one shape that it has everywhere."""
    return {
        "question": {name: _plain(value) for name, value in answer.question.items()},
        "answer": answer.answer,
        "reasons": [reason_object(each) for each in answer.reasons],
        "next_steps": [dict(each) for each in answer.next_steps],
        "evidence": [dict(each) for each in answer.evidence],
        "as_of": as_of_object(answer.as_of),
    }


def reason_object(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code, "text": reason.text, **reason.members}


def as_of_object(as_of: AsOf) -> dict[str, Any]:
    return {"time": second_of(as_of.time), "position": as_of.position, "census": as_of.census}


def plan_object(plan: Plan, as_of: AsOf) -> dict[str, Any]:
    """Return a plan: its answer, the services in their order, endpoints, reasons and next steps."""
    return {
        "question": {"kind": "plan", "type": plan.type, "from": plan.of, "to": plan.to},
        "answer": plan.answer,
        "services": [
            {
                "place": row.place,
                "service": row.service,
                "state": row.state,
                "writes": row.writes,
                "running": [
                    {
                        "revision": each.revision,
                        "instances": each.count,
                        "accepts": list(each.accepts),
                        "tolerates": each.tolerates,
                        "emits": list(each.emits),
                    }
                    for each in row.running
                ],
            }
            for row in plan.rows
        ],
        "endpoints": [
            {"endpoint": each.endpoint, "pin": each.pin, "path": list(each.path), "loses": list(each.loses)}
            for each in plan.served
        ],
        "reasons": [reason_object(each) for each in plan.reasons],
        "next_steps": [dict(each.step) for each in plan.reasons if each.step is not None],
        "as_of": as_of_object(as_of),
    }


def _plain(value: Any) -> Any:
    """Return a question's member as JSON has it: entries counted by type and version are a list."""
    if not isinstance(value, Mapping):
        return value
    return [{"type": type, "version": version, "entries": count} for (type, version), count in sorted(value.items())]
