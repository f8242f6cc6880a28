"""The operations that tell of the server itself."""

from __future__ import annotations

from tidings.api.openapi.operations import operation
from tidings.api.openapi.parts import Object, if_none_match, parameter, problems, response, schema
from tidings.api.problems import Problem
from tidings.events.media import JSON
from tidings.faces.schemas import MEDIA_TYPE


def own_paths() -> dict[str, Object]:
    """Return the paths that tell of the server itself."""
    return {
        "/healthz": {"get": _is_alive()},
        "/readyz": {"get": _is_ready()},
        "/metrics": {"get": _measure()},
        "/openapi.json": {"get": _described("describe", "This document")},
        "/asyncapi.json": {
            "get": _described("describeEvents", "Every event, its versions, who emits and accepts them")
        },
        "/schemas/{type}/{version}": {
            "parameters": [
                parameter("path", "type", "The event type.", {"type": "string"}),
                parameter("path", "version", "One of its versions.", {"type": "string"}),
            ],
            "get": _described("getSchema", "The JSON Schema of one version", Problem.NOT_FOUND, media_type=MEDIA_TYPE),
        },
    }


def _healthy() -> Object:
    return {"200": response("All is well.", {JSON: schema("Health")})}


def _is_alive() -> Object:
    return {
        "operationId": "isAlive",
        "summary": "Whether the process lives; a lost database does not fail it",
        "responses": _healthy()
        | problems(Problem.MALFORMED_REQUEST, Problem.INTERNAL, Problem.OVERLOADED, Problem.NOT_RUNNING),
    }


def _is_ready() -> Object:
    return {
        "operationId": "isReady",
        "summary": "Whether requests can be served and entries are carried; a 503 names each check that fails",
        "responses": _healthy()
        | problems(
            Problem.MALFORMED_REQUEST,
            Problem.INTERNAL,
            Problem.LOG_UNAVAILABLE,
            Problem.STORE_UNAVAILABLE,
            Problem.OVERLOADED,
            Problem.NOT_RUNNING,
        ),
    }


def _measure() -> Object:
    return {
        "operationId": "measure",
        "summary": "What this process counts, for Prometheus",
        "responses": {"200": response("The metrics.", {"text/plain": {"type": "string"}})}
        | problems(
            Problem.MALFORMED_REQUEST,
            Problem.UNAUTHENTICATED,
            Problem.RATE_LIMITED,
            Problem.INTERNAL,
            Problem.OVERLOADED,
            Problem.NOT_RUNNING,
        ),
    }


def _described(id: str, summary: str, *kinds: Problem, media_type: str = JSON) -> Object:
    types = {JSON, media_type}
    answers = {
        "200": response("The document.", {each: {"type": "object"} for each in sorted(types)}, ["ETag"]),
        "304": response("Not modified.", headers=["ETag"]),
    }
    return operation(id, summary, [if_none_match()], answers, Problem.NOT_ACCEPTABLE, *kinds)
