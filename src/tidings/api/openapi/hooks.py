"""The operations to which providers send."""

from __future__ import annotations

from tidings.api.openapi.parts import Object, parameter, problems, response
from tidings.api.problems import Problem

_ANYTHING: Object = {"*/*": {}}
_COMMON = (
    Problem.MALFORMED_REQUEST,
    Problem.NOT_FOUND,
    Problem.RECEIVER_RETIRED,
    Problem.BODY_TOO_LARGE,
    Problem.METHOD_NOT_ALLOWED,
    Problem.RATE_LIMITED,
    Problem.INTERNAL,
    Problem.STORE_UNAVAILABLE,
    Problem.OVERLOADED,
    Problem.NOT_RUNNING,
)


def hook_paths() -> dict[str, Object]:
    """Return the path of receivers. What else they answer, their presets say."""
    receiver = parameter("path", "receiver", "The receiver's id, exactly.", {"type": "string"})
    return {
        "/hooks/{receiver}": {
            "parameters": [receiver],
            "post": _deliver(),
            "get": _ask("askReceiver", "Answer a provider that asks whether the receiver is there"),
            "options": _ask("askReceiverForPermission", "Answer a CloudEvents sender that asks for permission"),
        }
    }


def _deliver() -> Object:
    answers = {
        "200": response("It came before, or is answered so by the preset; or a handshake.", _ANYTHING),
        "202": response("It is kept, with its events.", _ANYTHING),
        "204": response("A handshake.", _ANYTHING),
    }
    return {
        "operationId": "deliver",
        "summary": "Take in a provider's webhook; its signature is what admits it",
        "requestBody": {"content": _ANYTHING, "required": True},
        "responses": answers
        | problems(
            *_COMMON,
            Problem.SIGNATURE_REJECTED,
            Problem.BODY_TIMEOUT,
            Problem.UNSUPPORTED_MEDIA_TYPE,
            Problem.LOG_UNAVAILABLE,
        ),
        "security": [],
    }


def _ask(id: str, summary: str) -> Object:
    answers = {
        "200": response("What the provider asks for.", _ANYTHING, ("Allow",)),
        "204": response("Nothing but that.", _ANYTHING),
    }
    return {
        "operationId": id,
        "summary": summary,
        "responses": answers | problems(*_COMMON, Problem.SIGNATURE_REJECTED),
        "security": [],
    }
