"""The operations that tell of the server itself."""

from __future__ import annotations

from tidings.api.openapi.operations import operation
from tidings.api.openapi.parts import Object, if_none_match, problems, response, schema
from tidings.api.problems import Problem
from tidings.events.media import JSON


def own_paths() -> dict[str, Object]:
    """Return the paths that tell of the server itself."""
    return {
        "/healthz": {"get": _is_alive()},
        "/readyz": {"get": _is_ready()},
        "/metrics": {"get": _measure()},
        "/openapi.json": {"get": _describe()},
    }


def _healthy() -> Object:
    return {"200": response("All is well.", {JSON: schema("Health")})}


def _is_alive() -> Object:
    return {
        "operationId": "isAlive",
        "summary": "Whether the process lives; a lost database does not fail it",
        "responses": _healthy() | problems(Problem.MALFORMED_REQUEST, Problem.INTERNAL, Problem.OVERLOADED),
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
        ),
    }


def _describe() -> Object:
    return operation(
        "describe",
        "This document",
        [if_none_match()],
        {
            "200": response("The document.", {JSON: {"type": "object"}}, ["ETag"]),
            "304": response("Not modified.", headers=["ETag"]),
        },
        Problem.NOT_ACCEPTABLE,
    )
