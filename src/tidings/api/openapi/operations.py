"""Every operation of the API with every answer it can give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidings.api.filters import VERSION_MAX
from tidings.api.openapi.components import column_schema, event_name, row_name
from tidings.api.openapi.parts import Object, array, if_none_match, parameter, problems, record, ref, response, schema
from tidings.api.problems import Problem
from tidings.api.stream import EVENT_STREAM
from tidings.events.catalog import Catalog
from tidings.events.cloudevents import BATCH_TYPE, STRUCTURED_TYPE
from tidings.events.media import JSON
from tidings.views.declaration import ViewSpec

EVERYWHERE = (
    Problem.MALFORMED_REQUEST,
    Problem.UNAUTHENTICATED,
    Problem.RATE_LIMITED,
    Problem.INTERNAL,
    Problem.LOG_UNAVAILABLE,
    Problem.STORE_UNAVAILABLE,
    Problem.OVERLOADED,
    Problem.NOT_RUNNING,
)
_WRITE = (
    Problem.INVALID_POSITION,
    Problem.EVENT_CONFLICT,
    Problem.SUBJECT_MOVED,
    Problem.VERSION_NOT_OPEN,
    Problem.VERSION_SUNSET,
    Problem.BODY_TIMEOUT,
    Problem.BODY_TOO_LARGE,
    Problem.ENVELOPE_TOO_LARGE,
    Problem.UNSUPPORTED_MEDIA_TYPE,
    Problem.INVALID_ENVELOPE,
    Problem.INVALID_DATA,
    Problem.VERSION_UNKNOWN,
)
KEYED = (Problem.IDEMPOTENCY_KEY_MISSING, Problem.IDEMPOTENCY_KEY_MALFORMED, Problem.IDEMPOTENCY_KEY_REUSED)
_READ = (Problem.INVALID_POSITION, Problem.POSITION_NOT_REACHED, Problem.NOT_ACCEPTABLE)
_POSITION = ("Tidings-Position",)
_ENDING = ("Deprecation", "Sunset", "Link")
_WRITTEN = (*_POSITION, *_ENDING, "Tidings-Version-Warning")
_KEYED = (*_WRITTEN, "Idempotency-Replayed")
_WAITED = ("Tidings-Position", "Preference-Applied")
_VIEWED = (*_WAITED, "Tidings-Incomplete", "Tidings-As-Of")


def event_paths(catalog: Catalog) -> dict[str, Object]:
    """Return the paths of the log."""
    data: Object = {"anyOf": [schema(event_name(*known)) for known in catalog.types()]} if catalog.types() else {}
    return {
        "/events": {"get": _list_events(), "post": _post_events(data)},
        "/events/stream": {"get": _follow_events()},
        "/events/{source}/{id}": {
            "parameters": [ref("parameters", "Source"), ref("parameters", "Id")],
            "get": _get_event(),
            "put": _put_event(data),
        },
    }


def view_paths(views: Iterable[ViewSpec]) -> dict[str, Object]:
    """Return the paths of the views: one for the rows of each that has a table, one for the row of a key."""
    paths: dict[str, Object] = {
        "/views": {
            "get": operation(
                "listViews",
                "The views",
                [],
                {"200": response("The views.", {JSON: schema("Views")})},
                Problem.NOT_ACCEPTABLE,
            )
        }
    }
    for view in views:
        at = f"/views/{view.service}/{view.name}"
        if view.mode != "live":
            paths[at] = {"get": _list_rows(view)}
        paths[at + "".join(f"/{{{name}}}" for name in view.key)] = {"get": _get_row(view)}
    return paths


def operation(
    id: str, summary: str, parameters: list[Object], responses: Object, *kinds: Problem, **more: Any
) -> Object:
    """Return an operation with its answers, and the problems that it may have besides those that all may have."""
    return {
        "operationId": id,
        "summary": summary,
        "parameters": parameters,
        "responses": responses | problems(*EVERYWHERE, *kinds),
        **more,
    }


def _put_event(data: Object) -> Object:
    attributes = [
        parameter("header", "ce-type", "The event type, in binary mode.", {"type": "string"}),
        parameter("header", "ce-dataversion", "The event version, 1 if left out.", {"type": "string"}),
        parameter("header", "ce-subject", "What the event is about.", {"type": "string"}),
        parameter("header", "ce-time", "When it happened.", {"type": "string", "format": "date-time"}),
        parameter("header", "If-None-Match", "`*`: only if no such event is kept yet.", {"type": "string"}),
        ref("parameters", "ExpectedPosition"),
    ]
    return operation(
        "putEvent",
        "Append one event; the same request again changes nothing",
        attributes,
        {
            "201": response("It was added.", {JSON: schema("Result")}, (*_WRITTEN, "Location")),
            "200": response("It was kept already, with the same content.", {JSON: schema("Result")}, _WRITTEN),
        },
        *_WRITE,
        Problem.PATH_MISMATCH,
        Problem.PRECONDITION_FAILED,
        requestBody=_body({JSON: data, STRUCTURED_TYPE: schema("Event")}),
    )


def _post_events(data: Object) -> Object:
    dedupe = parameter(
        "query",
        "dedupe",
        "`content`: events without an id get one that follows from their content.",
        {"const": "content"},
    )
    return operation(
        "postEvents",
        "Append one event or a batch: all of it, or nothing",
        [dedupe, ref("parameters", "Key"), ref("parameters", "ExpectedPosition")],
        {
            "201": response("Some were added.", {JSON: schema("Results")}, _KEYED),
            "200": response("All were kept already, or there were none.", {JSON: schema("Results")}, _KEYED),
        },
        *_WRITE,
        *KEYED,
        requestBody=_body({JSON: data, STRUCTURED_TYPE: schema("Event"), BATCH_TYPE: array(schema("Event"))}),
    )


def _filters() -> list[Object]:
    time: Object = {"type": "string", "format": "date-time"}
    whole: Object = {"type": "integer", "minimum": 1, "maximum": VERSION_MAX}
    return [
        parameter("query", "type", "Only these types.", array({"type": "string"}), explode=True),
        parameter("query", "source", "Only this source.", {"type": "string"}),
        parameter("query", "subject", "Only this subject.", {"type": "string"}),
        parameter("query", "version", "Only this version of the type.", whole),
        parameter("query", "correlation", "Only this chain: its first event and what followed.", {"type": "string"}),
        parameter("query", "recorded_from", "Only what was recorded then or later.", time),
        parameter("query", "recorded_to", "Only what was recorded before.", time),
        parameter("query", "pattern", "Only what this event pattern matches, as JSON.", {"type": "string"}),
    ]


def _list_events() -> Object:
    paging = [ref("parameters", name) for name in ("After", "Limit", "MinPosition", "Wait")]
    pages: Object = {JSON: schema("Page"), BATCH_TYPE: array(schema("Event"))}
    return operation(
        "listEvents",
        "The entries after a position, oldest first",
        [*paging, *_filters()],
        {"200": response("The entries; a batch says where it ends in `Tidings-Position`.", pages, _WAITED)},
        *_READ,
        Problem.INVALID_PATTERN,
        Problem.POSITION_EXPIRED,
    )


def _follow_events() -> Object:
    last = parameter("header", "Last-Event-ID", "Go on after this position; counts more than `after`.", schema("Token"))
    followed = "Each entry as an event: `id` is its position, `event` its type, `data` the event as one line of JSON."
    return operation(
        "followEvents",
        "Entries as they come, as server-sent events; without a position those after the head",
        [ref("parameters", "After"), last, *_filters()],
        {"200": response(followed, {EVENT_STREAM: {"type": "string"}}, _POSITION)},
        Problem.INVALID_PATTERN,
        Problem.INVALID_POSITION,
        Problem.NOT_ACCEPTABLE,
        Problem.POSITION_EXPIRED,
    )


def _get_event() -> Object:
    return operation(
        "getEvent",
        "One event; in binary mode if Accept has only the type of its data",
        [ref("parameters", "MinPosition"), ref("parameters", "Wait")],
        {"200": response("The event.", {STRUCTURED_TYPE: schema("Event"), "*/*": {}}, _WAITED)},
        *_READ,
        Problem.NOT_FOUND,
    )


def _list_rows(view: ViewSpec) -> Object:
    filters = [
        parameter("query", column.name, f"Only rows with this {column.name}.", column_schema(column))
        for column in view.columns
        if column.kind != "json" and column.name not in ("after", "limit")
    ]
    page = record(
        {"rows": array(schema(row_name(view))), "next": {"type": ["string", "null"]}},
        description="`next` is null behind the last row.",
    )
    return operation(
        f"list.{view.service}.{view.name}",
        f"The rows of {view.service}.{view.name}, by key",
        [*(ref("parameters", name) for name in ("After", "Limit", "MinPosition", "Wait")), *filters],
        {"200": response("The rows.", {JSON: page}, _VIEWED)},
        *_READ,
    )


def _get_row(view: ViewSpec) -> Object:
    columns = {column.name: column for column in view.columns}
    key = [
        parameter("path", name, "One segment of the key, percent-encoded.", column_schema(columns[name]))
        for name in view.key
    ]
    return operation(
        f"get.{view.service}.{view.name}",
        f"The row of {view.service}.{view.name} with this key: a path segment for each of {', '.join(view.key)}",
        [*key, if_none_match(), ref("parameters", "MinPosition"), ref("parameters", "Wait")],
        {
            "200": response("The row.", {JSON: record({"row": schema(row_name(view))})}, (*_VIEWED, "ETag")),
            "304": response("Not modified.", headers=(*_VIEWED, "ETag")),
        },
        *_READ,
        Problem.NOT_FOUND,
    )


def _body(content: Object) -> Object:
    return {"content": {media_type: {"schema": of} for media_type, of in content.items()}}
