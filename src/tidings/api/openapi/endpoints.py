"""The operations on endpoints."""

from __future__ import annotations

from typing import get_args

from tidings.api.openapi import acts
from tidings.api.openapi.acts import DRY, MAYBE, MAYBE_TIME, REPLAYED, TEXT, TIME, WHOLE, YES
from tidings.api.openapi.legacy import legacy_shown, legacy_wanted
from tidings.api.openapi.operations import operation
from tidings.api.openapi.parts import Object, array, parameter, record, ref, response, schema
from tidings.api.openapi.polling import polling_paths
from tidings.api.problems import Problem
from tidings.events.media import JSON
from tidings.store.endpoint_deliveries import COUNTED
from tidings.store.endpoints import STATES
from tidings.webhooks.deliver.configured import BATCH_MAX, BATCH_MIN, LINGER_MAX_MS, RATE_MAX, SLOTS_MAX, VERSION_MAX
from tidings.webhooks.deliver.endpoint import Format, Ordering, Via
from tidings.webhooks.deliver.secrets import GRACE_MAX_S, GRACE_S

_ENDPOINT = parameter("path", "endpoint", "The endpoint's id.", TEXT)
_SECRET = parameter("path", "secret", "The secret's id.", TEXT)
_IF_MATCH = parameter("header", "If-Match", "The ETag of what you have read; `*` for whatever there is.", TEXT)
_CHANGE = (*acts.BODY, Problem.INVALID_PATTERN, Problem.ENDPOINT_REFUSED)
_SEEN = (Problem.PRECONDITION_FAILED, Problem.PRECONDITION_REQUIRED)
_TAGGED = ("ETag",)
_KINDS: Object = {"enum": ["hmac", "ed25519"], "default": "hmac"}
_SAME_KIND: Object = {"enum": ["hmac", "ed25519", None], "description": "Left out, or null: that of the one before."}
_ONCE: dict[str, Object] = {
    "signing_secret": TEXT | {"description": "In clear, this once: nobody can see it again."},
    "public_key": MAYBE | {"description": "Of an Ed25519 key, what receivers verify with."},
}


def _whole(least: int, most: int) -> Object:
    return {"type": "integer", "minimum": least, "maximum": most}


def _count(which: str) -> Object:
    return WHOLE | {"description": f"Deliveries that are {which}, counted no further than {COUNTED:,}."}


def _configuration() -> dict[str, Object]:
    batch = record(
        {"size": _whole(BATCH_MIN, BATCH_MAX), "bytes": WHOLE, "linger_ms": _whole(0, LINGER_MAX_MS)},
        optional=("bytes", "linger_ms"),
    )
    pins: Object = {"type": "object", "additionalProperties": _whole(1, VERSION_MAX)}
    return {
        "url": MAYBE | {"description": "https://…, to which events are posted; null of one that is polled."},
        "via": {"enum": list(get_args(Via)), "description": "`poll`: events are fetched, none is posted."},
        "pattern": {"type": "object", "description": "Which events; an empty one: every event."},
        "pin": pins
        | {
            "description": "The version in which a type is told. "
            "Left out when it is made: the newest open one of each type that it may be sent."
        },
        "format": {"enum": list(get_args(Format))},
        "ordering": {"enum": list(get_args(Ordering))},
        "slots": _whole(1, SLOTS_MAX),
        "reserved": _whole(0, SLOTS_MAX - 1),
        "rate": {"type": ["integer", "null"], "minimum": 1, "maximum": RATE_MAX},
        "batch": {"anyOf": [batch, {"type": "null"}]},
    }


def endpoint_schemas() -> dict[str, Object]:
    """Return the schemas of endpoints."""
    shown = _shown()
    wanted = _wanted()
    optional = tuple(wanted)
    made = {"secret": TEXT, "kind": _KINDS}
    return {
        "Endpoint": record(shown),
        "EndpointMade": record({**shown, **_ONCE}),
        "EndpointWanted": record({**wanted, **made}, optional=(*optional, *made)),
        "EndpointChange": record(wanted, optional=tuple(wanted)),
        "EndpointSecret": record(_secret()),
    }


def _wanted() -> dict[str, Object]:
    configured = _configuration()
    maybe = {name: {"anyOf": [of, {"type": "null"}]} for name, of in configured.items()}
    headers: Object = {"type": "object", "additionalProperties": TEXT, "description": "Sent with each request."}
    return {**maybe, "headers": {"anyOf": [headers, {"type": "null"}]}, "legacy": legacy_wanted()}


def _shown() -> dict[str, Object]:
    return {
        "endpoint": TEXT,
        **_configuration(),
        "legacy": legacy_shown(),
        "header_names": array(TEXT, description="Of the headers sent with each request; what they say is not shown."),
        "state": {"enum": list(STATES)},
        "reason": MAYBE | {"description": "Of a state that is not `active`."},
        "since": TIME | {"description": "When the state began."},
        "failures": WHOLE | {"description": "In a row, up to now."},
        "quiet_since": TIME | {"description": "The last success; before the first, when it was made or resumed."},
        "last_success": MAYBE_TIME,
        "last_failure": MAYBE_TIME,
        "succeeded": WHOLE | {"description": "Attempts of the last five minutes."},
        "failed": WHOLE | {"description": "Attempts of the last five minutes."},
        "pending": _count("due, behind another one, or on their way"),
        "held": _count("held until it is resumed, or can be told in its version"),
        "dead": _count("given up"),
        "oldest": MAYBE_TIME | {"description": "When the first of what is pending or held was intended."},
        "next_at": MAYBE_TIME | {"description": "When the first of what is due is to be tried."},
        "not_before": MAYBE_TIME | {"description": "Nothing is sent to it before."},
        "created": TIME,
        "version": WHOLE | {"description": "Rises with each change of the configuration or of the secrets."},
        "secrets": array(schema("EndpointSecret"), description="Those that sign, newest first."),
    }


def _secret() -> dict[str, Object]:
    return {"secret": TEXT, "since": TIME, "until": MAYBE_TIME}


def endpoint_paths() -> dict[str, Object]:
    """Return the paths of endpoints, and of what is done with them."""
    one = [_ENDPOINT]
    page = record({"endpoints": array(schema("Endpoint")), "next": MAYBE})
    return {
        "/endpoints": {"get": acts.page("listEndpoints", "Where webhooks go, by id", page, []), "post": _post()},
        "/endpoints/{endpoint}": {
            "parameters": one,
            "get": operation(
                "getEndpoint",
                "One endpoint",
                [],
                {"200": _as_it_is()},
                Problem.NOT_ACCEPTABLE,
                Problem.NOT_FOUND,
            ),
            "put": _put(),
            "patch": _patch(),
            "delete": _delete(),
        },
        "/endpoints/{endpoint}/secrets": {"parameters": one, "post": _rotate()},
        "/endpoints/{endpoint}/secrets/{secret}": {"parameters": [_ENDPOINT, _SECRET], "delete": _revoke()},
        **_act_paths(one),
        **polling_paths(_ENDPOINT),
    }


def _as_it_is() -> Object:
    return response("As it is now.", {JSON: schema("Endpoint")}, _TAGGED)


def _made() -> Object:
    return response("It is made, with its secret.", {JSON: schema("EndpointMade")}, (*_TAGGED, "Location"))


def _post() -> Object:
    return operation(
        "makeEndpoint",
        "Make an endpoint under an id of the server's; it is sent what is appended from now on",
        [ref("parameters", "Key")],
        {"201": _made() | {"headers": {**_made()["headers"], **_replayed()}}},
        *_CHANGE,
        Problem.ENDPOINT_STATE,
        Problem.IDEMPOTENCY_KEY_MALFORMED,
        Problem.IDEMPOTENCY_KEY_REUSED,
        requestBody=acts.json_body(schema("EndpointWanted"), required=True),
    )


def _replayed() -> dict[str, Object]:
    return {name: ref("headers", name) for name in REPLAYED}


def _put() -> Object:
    new = parameter("header", "If-None-Match", "`*`: only if there is no such endpoint.", TEXT)
    return operation(
        "putEndpoint",
        "Make an endpoint under this id, or give it this configuration whole",
        [_IF_MATCH, new],
        {"200": _as_it_is(), "201": _made()},
        *_CHANGE,
        *_SEEN,
        Problem.NOT_FOUND,
        Problem.ENDPOINT_STATE,
        requestBody=acts.json_body(schema("EndpointWanted"), required=True),
    )


def _patch() -> Object:
    return operation(
        "changeEndpoint",
        "Change the members that are given; null puts the default back",
        [_IF_MATCH],
        {"200": _as_it_is()},
        *_CHANGE,
        *_SEEN,
        Problem.NOT_FOUND,
        Problem.ENDPOINT_STATE,
        requestBody=acts.json_body(schema("EndpointChange"), required=False),
    )


def _delete() -> Object:
    return operation(
        "removeEndpoint",
        "Remove an endpoint; open deliveries are cancelled",
        [_IF_MATCH],
        {"204": response("It is removed.")},
        *_SEEN,
        Problem.NOT_FOUND,
    )


def _rotate() -> Object:
    asked = record(
        {"secret": MAYBE, "kind": _SAME_KIND, "grace_s": _whole(0, GRACE_MAX_S) | {"default": GRACE_S}},
        optional=("secret", "kind", "grace_s"),
    )
    made = record({"endpoint": TEXT, **_secret(), **_ONCE})
    return acts.keyed(
        "rotateSecret",
        "Have a new secret sign; the one before signs beside it for the grace",
        asked,
        {"201": response("The new secret, in clear this once.", {JSON: made}, REPLAYED)},
        Problem.NOT_FOUND,
        Problem.TOO_MANY_SECRETS,
        Problem.ENDPOINT_STATE,
    )


def _revoke() -> Object:
    return operation(
        "revokeSecret",
        "End one of the older secrets now",
        [],
        {"204": response("It signs no more.")},
        Problem.NOT_FOUND,
        Problem.ENDPOINT_STATE,
    )


def _act_paths(one: list[Object]) -> dict[str, Object]:
    again = record(
        {
            "endpoint": TEXT,
            "deliveries": WHOLE,
            "after": schema("Token"),
            "to": schema("Token"),
            "run": MAYBE,
            "dry_run": YES,
        }
    )
    answers: Object = {
        "200": response("So many there would be.", {JSON: again}, REPLAYED),
        "202": response("So many are on their way.", {JSON: again}, REPLAYED),
    }
    tested = record({"endpoint": TEXT, "delivery": TEXT})
    within: dict[str, Object] = {"after": MAYBE, "to": MAYBE}
    types: Object = {"anyOf": [array(TEXT), {"type": "null"}]}
    which = {**within, "types": types, "source": MAYBE, "subject": MAYBE}
    flags = {"missing_only": YES, "new_id": YES, "dry_run": DRY}
    pausing: dict[str, Object] = {"reason": MAYBE, "state": {"enum": ["paused", "disabled"]}}
    shown = schema("Endpoint")
    base = "/endpoints/{endpoint}"
    recovering = record({**within, "dry_run": DRY}, optional=(*within, "dry_run"))
    replaying = record({**which, **flags}, optional=(*which, *flags))
    tested_answer: Object = {"202": response("It is on its way.", {JSON: tested}, REPLAYED)}
    refused = (Problem.NOT_FOUND, Problem.INVALID_POSITION)
    told = {
        "test": acts.keyed(
            "testEndpoint", "Send one event marked as a test, as any other is sent", record({}), tested_answer,
            Problem.NOT_FOUND, Problem.ENDPOINT_STATE,
        ),
        "pause": acts.set_(
            "pauseEndpoint", "Hold what is open and what comes", shown, pausing, optional=tuple(pausing)
        ),
        "resume": acts.set_("resumeEndpoint", "Let it go on, in order", shown, {}),
        "recover": acts.keyed("recoverEndpoint", "Have what is dead made again", recovering, answers, *refused),
        "replay": acts.keyed(
            "replayToEndpoint", "Send entries of the log again", replaying, answers, *refused,
            Problem.CANNOT_REPLAY, Problem.POSITION_EXPIRED,
        ),
    }  # fmt: skip
    return {f"{base}/{name}": {"parameters": one, "post": each} for name, each in told.items()}
