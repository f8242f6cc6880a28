"""The operations of those who poll."""

from __future__ import annotations

from tidings.api.openapi.acts import BODY, MAYBE, TEXT, WHOLE, YES, json_body
from tidings.api.openapi.operations import operation
from tidings.api.openapi.parts import Object, array, parameter, record, ref, response, schema
from tidings.api.problems import Problem
from tidings.events.media import JSON


def polling_paths(endpoint: Object) -> dict[str, Object]:
    """Return the path of an endpoint's queue."""
    request = record(
        {"headers": {"type": "object", "additionalProperties": TEXT}, "body": TEXT, "body_base64": TEXT},
        optional=("body", "body_base64"),
        description="What a push would have been, byte for byte; only with `signed`.",
    )
    polled = record(
        {
            "delivery": TEXT,
            "webhook_id": TEXT | {"description": "The same each time it is read."},
            "position": schema("Token"),
            "attempt": WHOLE,
            "event": schema("Event"),
            "request": request,
        },
        optional=("request",),
    )
    page = record({"deliveries": array(polled), "iterator": MAYBE, "done": YES})
    asked = [
        ref("parameters", "Limit"),
        parameter("query", "iterator", "Of the page that arrived, which is committed first.", TEXT),
        parameter("query", "signed", "With the request that a push would have been.", YES),
        ref("parameters", "Wait"),
    ]
    refused = (Problem.NOT_FOUND, Problem.ENDPOINT_STATE)
    answers: Object = {"200": response("What is due, oldest first.", {JSON: page}, ("Preference-Applied",))}
    committed = record({"endpoint": TEXT, "committed": WHOLE})
    return {
        "/endpoints/{endpoint}/poll": {
            "parameters": [endpoint],
            "get": operation(
                "pollEndpoint", "What is due to an endpoint that is polled", asked, answers, *refused,
                Problem.NOT_ACCEPTABLE,
            ),
            "post": operation(
                "commitPolled",
                "Say that a page arrived; twice is once",
                [],
                {"200": response("So many were open until now.", {JSON: committed})},
                *(*BODY, *refused),
                requestBody=json_body(record({"iterator": TEXT}), required=True),
            ),
        }
    }  # fmt: skip
