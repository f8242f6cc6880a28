"""What the operations of operators have in common: how they are asked, answered and refused."""

from __future__ import annotations

from tidings.api.openapi.operations import KEYED, operation
from tidings.api.openapi.parts import Object, record, ref, response, schema
from tidings.api.problems import Problem
from tidings.events.media import JSON

TEXT: Object = {"type": "string"}
MAYBE: Object = {"type": ["string", "null"]}
WHOLE: Object = {"type": "integer"}
YES: Object = {"type": "boolean"}
TIME: Object = {"type": "string", "format": "date-time"}
MAYBE_TIME: Object = {"anyOf": [TIME, {"type": "null"}]}
MAYBE_TOKEN: Object = {"anyOf": [schema("Token"), {"type": "null"}]}
BODY = (
    Problem.BODY_TIMEOUT,
    Problem.BODY_TOO_LARGE,
    Problem.UNSUPPORTED_MEDIA_TYPE,
    Problem.INVALID_CONFIGURATION,
)
REPLAYED = ("Idempotency-Replayed",)
DRY: Object = {"type": "boolean", "default": False, "description": "Count, and change nothing."}


def get(id: str, summary: str, shown: Object, *, one: bool = False) -> Object:
    """Return what is read: as it is now. `one`: one thing, that may not be there."""
    headers = () if id.endswith(("Letter", "Delivery")) else ("Tidings-Position",)
    answers = {"200": response("As it is now.", {JSON: shown}, headers)}
    return operation(id, summary, [], answers, Problem.NOT_ACCEPTABLE, *([Problem.NOT_FOUND] if one else []))


def page(id: str, summary: str, shown: Object, filters: list[Object], *kinds: Problem) -> Object:
    """Return what is read page by page."""
    paging = [ref("parameters", "After"), ref("parameters", "Limit")]
    answers = {"200": response("`next` is null behind the last one.", {JSON: shown})}
    return operation(id, summary, [*paging, *filters], answers, Problem.NOT_ACCEPTABLE, *kinds)


def set_(
    id: str,
    summary: str,
    shown: Object,
    members: Object,
    *,
    optional: tuple[str, ...] = (),
    status: str = "200",
) -> Object:
    headers = ("ETag",) if id.endswith("Endpoint") else () if id.endswith("Delivery") else ("Tidings-Position",)
    answers = {status: response("As it is now.", {JSON: shown}, headers)}
    refused = Problem.CANNOT_REPLAY if id.endswith("Consumer") else Problem.ENDPOINT_STATE
    kinds = (*BODY, Problem.NOT_FOUND, refused)
    return operation(
        id,
        summary,
        [],
        answers,
        *kinds,
        requestBody=json_body(record(members, optional=optional), required=len(members) > len(optional)),
    )


def keyed(id: str, summary: str, body: Object, answers: Object, *kinds: Problem) -> Object:
    """Return what is done once under a key."""
    key = {**ref("parameters", "Key")}
    return operation(id, summary, [key], answers, *BODY, *KEYED, *kinds, requestBody=json_body(body, required=False))


def json_body(of: Object, *, required: bool) -> Object:
    """Return a body of JSON."""
    return {"required": required, "content": {JSON: {"schema": of}}}
