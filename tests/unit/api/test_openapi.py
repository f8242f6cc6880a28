"""The document is valid as far as a reader depends on it, and says what the code does: no more, no less."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.unit.api.scopes import ask
from tests.unit.api.shop import Shop, open_shop

import tidings.api
from tidings.api.problems import TYPE_BASE, Problem
from tidings.store.endpoint_deliveries import FOLLOWS, GONE, LISTED, LOST, STALE, UNREADABLE
from tidings.webhooks.deliver.outcome import DeadReason

METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
TYPES = {"string", "integer", "number", "boolean", "object", "array", "null"}

# What the specification of the HTTP API says a slug's status is.
TABLE = {
    400: "malformed-request path-mismatch invalid-position idempotency-key-missing idempotency-key-malformed",
    401: "unauthenticated signature-rejected",
    403: "scope-missing",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "body-timeout",
    409: "event-conflict subject-moved idempotency-in-progress not-subject-head endpoint-state too-many-secrets "
    "version-incompatible version-not-open cannot-replay already-running",
    410: "position-expired receiver-retired receipt-pruned version-sunset",
    412: "precondition-failed position-not-reached",
    413: "body-too-large envelope-too-large",
    415: "unsupported-media-type",
    422: "invalid-envelope invalid-data invalid-configuration invalid-pattern version-unknown idempotency-key-reused "
    "endpoint-refused",
    428: "precondition-required",
    429: "rate-limited",
    500: "internal",
    503: "log-unavailable store-unavailable overloaded not-running",
}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.fixture
async def document(shop: Shop) -> Any:
    return (await ask(shop.http, "GET", "/openapi.json")).json


def nodes(part: Any, at: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        yield at, part
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, value in items:
        yield from nodes(value, f"{at}/{name}")


def operations(document: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield (
                path,
                method,
                item[method] | {"parameters": item.get("parameters", []) + item[method].get("parameters", [])},
            )


def resolved(document: Any, part: Any) -> Any:
    while "$ref" in part:
        found = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        part = found
    return part


def slugs(document: Any, response: Any) -> set[str]:
    schema = response["content"]["application/problem+json"]["schema"]
    return {kind.removeprefix(TYPE_BASE) for kind in schema["allOf"][1]["properties"]["type"]["enum"]}


def test_every_slug_has_the_status_of_the_specification() -> None:
    specified = {slug: status for status, line in TABLE.items() for slug in line.split()}
    assert {problem.slug: specified.get(problem.slug) for problem in Problem} == {
        problem.slug: problem.status for problem in Problem
    }


def test_every_problem_in_the_code_is_answered_somewhere() -> None:
    code = "".join(path.read_text("utf-8") for path in Path(tidings.api.__file__).parent.glob("*.py"))
    assert {problem.name for problem in Problem} == set(re.findall(r"\bProblem\.([A-Z_]+)\b", code))


def test_every_problem_is_described_where_it_is_answered(document: Any) -> None:
    described: set[str] = set()
    answers = [response for _, _, each in operations(document) for response in each["responses"].items()]
    answers += [(str(Problem.NOT_FOUND.status), document["components"]["responses"]["UnknownPath"])]
    answers += [(str(Problem.METHOD_NOT_ALLOWED.status), document["components"]["responses"]["OtherMethod"])]
    for status, response in answers:
        if int(status) >= 400:
            found = slugs(document, response)
            described |= found
            assert {problem.status for problem in Problem if problem.slug in found} == {int(status)}
    assert described == {problem.slug for problem in Problem}


def test_an_answer_that_a_position_is_not_reached_is_described_with_where_the_view_stands(document: Any) -> None:
    answers = [
        response["headers"]
        for _, _, each in operations(document)
        for status, response in each["responses"].items()
        if status == "412" and Problem.POSITION_NOT_REACHED.slug in slugs(document, response)
    ]
    assert answers
    assert all({"Tidings-Position", "Preference-Applied", "Retry-After"} <= headers.keys() for headers in answers)


def test_every_route_is_described_with_its_methods(shop: Shop, document: Any) -> None:
    described = {(path, method.upper()) for path, method, _ in operations(document)}
    rows = {path for path, _ in described if path.startswith("/views/")}
    for route in shop.http.routes:
        for method in (route.methods or set()) - {"HEAD"}:
            if route.path.startswith("/views/"):
                assert any(route.path_regex.match(path) for path in rows), route.path
            else:
                assert (route.path, method) in described
    assert len({path for path, _ in described} - rows) == len([r for r in shop.http.routes if "{view}" not in r.path])
    assert rows == {
        "/views/stock/line",
        "/views/stock/line/{customer}/{order_id}",
        "/views/stock/order/{order_id}",
        "/views/stock/total",
        "/views/stock/total/{order_id}",
        "/views/watch/seen",
        "/views/watch/seen/{order_id}",
        "/views/desk/noted",
        "/views/desk/noted/{name}",
    }


def test_every_reference_leads_somewhere(document: Any) -> None:
    for at, node in nodes(document):
        if isinstance(node.get("$ref"), str):
            assert resolved(document, node), at


def test_every_operation_has_a_name_of_its_own_and_answers_that_are_described(document: Any) -> None:
    names = [each["operationId"] for _, _, each in operations(document)]
    assert len(names) == len(set(names))
    for path, method, each in operations(document):
        assert any(status.startswith("2") for status in each["responses"]), (path, method)
        for status, response in each["responses"].items():
            assert re.fullmatch(r"[2-5]\d\d", status)
            assert response["description"]


def test_the_parameters_of_a_path_are_those_in_its_template(document: Any) -> None:
    for path, method, each in operations(document):
        parameters = [resolved(document, parameter) for parameter in each["parameters"]]
        places = [(parameter["in"], parameter["name"]) for parameter in parameters]
        assert len(places) == len(set(places)), (path, method)
        assert {name for where, name in places if where == "path"} == set(re.findall(r"\{([^}]+)\}", path))
        for parameter in parameters:
            assert {"name", "in", "schema"} <= parameter.keys()
            assert parameter["in"] in ("path", "query", "header")
            assert parameter.get("required", False) is (parameter["in"] == "path")


def test_the_schemas_are_schemas(document: Any) -> None:
    for at, node in nodes(document):
        kind = node.get("type")
        if "/properties/" in at.replace("/properties/type", "") or isinstance(kind, dict):
            continue
        for each in [kind] if isinstance(kind, str) else kind or []:
            assert each in TYPES or not at.startswith("#/components/schemas"), at
        if "required" in node and isinstance(node["required"], list):
            assert set(node["required"]) <= node.get("properties", {}).keys(), at


def test_the_data_of_each_event_is_described(document: Any) -> None:
    name = "event.order-placed.v1"
    schema = resolved(document, document["components"]["schemas"][name])
    assert {"order_id", "customer", "amount"} <= schema["properties"].keys()
    content = document["paths"]["/events/{source}/{id}"]["put"]["requestBody"]["content"]
    assert content["application/json"]["schema"]["anyOf"] == [{"$ref": f"#/components/schemas/{name}"}]


def test_every_operation_that_counts_who_asks_may_refuse_it_for_that(document: Any) -> None:
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            assert ("429" in item[method]["responses"]) is (path not in ("/healthz", "/readyz")), (method, path)


async def test_why_something_is_so_has_one_name(document: Any) -> None:
    named = [at for at, node in nodes(document) if "why" in node.get("properties", {})]
    assert named == []


def test_deliveries_may_be_asked_for_by_every_reason_that_one_has(document: Any) -> None:
    asked = document["paths"]["/deliveries"]["get"]["parameters"]
    [words] = [each["schema"]["enum"] for each in asked if each.get("name") == "reason"]
    of_endpoints = {*get_args(DeadReason), "not-wanted", FOLLOWS, GONE, LISTED, LOST, STALE, UNREADABLE}
    assert {*of_endpoints, "handler-failed", "not-retryable", "process-died"} <= set(words)
