"""Text that no store keeps, or that few programs expect, wherever a stranger can put text: never a failure of ours."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from string import ascii_letters
from typing import Any
from urllib.parse import quote

import pytest

from tests.acceptance.http_server import JSON, Caller, serving
from tests.acceptance.webhooks import SECRET, STRIPE, delivery, send
from tests.unit.reconciliation.shop import Order, OrderGone, Orders, OrderSeen, Provider, orders_service
from tidings import App, Service, Settings
from tidings.testing.clock import StandingClock

NUL = "a\0b"
LONG = "".join(Random(1).choices(ascii_letters, k=6_000))  # no index of PostgreSQL takes so much
TEXTS = ("\0", NUL, "'; DROP TABLE x; --", "\uffff\U0001f600", "%00", LONG)
SEGMENTS = (*(quote(text, safe="") for text in TEXTS), "%ED%A0%80", "%FF")
"""As they stand in a URL; the last two are half of a surrogate pair, and no UTF-8."""
LITERALS = (*map(json.dumps, TEXTS), '"\\ud800"')
"""As they stand in a body."""
REAL = {"service": "orders", "view": "order", "endpoint": "partner", "receiver": "till", "scope": "till-orders"}
REAL |= {"type": "order-seen", "version": "1", "consumer": "", "run": ""}


@dataclass(frozen=True)
class Asked:
    """One request. `is_nul`: it has U+0000 in it."""

    method: str
    target: str
    body: str
    is_nul: bool


class Document:
    """The OpenAPI document, read for where a text can stand."""

    def __init__(self, document: Any) -> None:
        self._document = document

    def requests(self, real: Mapping[str, str]) -> Iterator[Asked]:
        for path, item in self._document["paths"].items():
            shared = item.get("parameters", [])
            for method, operation in item.items():
                if method != "parameters":
                    given = [self._resolved(each) for each in (*shared, *operation.get("parameters", []))]
                    yield from self._of(method.upper(), path, given, operation.get("requestBody"), real)

    def _of(self, method: str, path: str, given: list[Any], body: Any, real: Mapping[str, str]) -> Iterator[Asked]:
        named = {each["name"]: real.get(each["name"]) or "x" for each in given if each["in"] == "path"}
        plain = "{}" if body else ""
        for n, raw in enumerate(SEGMENTS):
            for name in named:
                yield Asked(method, path.format(**{**named, name: raw}), plain, n < 2)
            for each in given:
                if each["in"] == "query":
                    yield Asked(method, f"{path.format(**named)}?{each['name']}={raw}", plain, n < 2)
        schema = ((body or {}).get("content", {}).get("application/json") or {}).get("schema")
        for n, literal in enumerate(LITERALS):
            for written in self._bodies(schema, literal) if schema else ():
                yield Asked(method, path.format(**named), written, n < 2)

    def _bodies(self, schema: Any, literal: str) -> Iterator[str]:
        """Every valid body in which this stands for one of its texts."""
        schema = self._resolved(schema)
        for kind in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            yield from self._bodies(kind, literal)
        if "string" in schema.get("type", ()):
            yield literal
        if schema.get("type") == "array":
            yield from (f"[{each}]" for each in self._bodies(schema.get("items", {}), literal))
        members = schema.get("properties", {})
        least = {name: self._least(members[name]) for name in schema.get("required", ()) if name in members}
        for name, of in members.items():
            for each in self._bodies(of, literal):
                written = {**least, name: each}
                yield "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in written.items()) + "}"
        if isinstance(schema.get("additionalProperties"), dict):
            yield from (f'{{"x":{each}}}' for each in self._bodies(schema["additionalProperties"], literal))
            yield f"{{{literal}:{self._least(schema['additionalProperties'])}}}"

    def _least(self, schema: Any) -> str:
        schema = self._resolved(schema)
        if "enum" in schema:
            return json.dumps(schema["enum"][0])
        if schema.get("type") == "object":
            members = schema.get("properties", {})
            least = (f"{json.dumps(name)}:{self._least(members[name])}" for name in schema.get("required", ()))
            return "{" + ",".join(least) + "}"
        return {"integer": "1", "boolean": "true", "array": "[]"}.get(str(schema.get("type")), '"x"')

    def _resolved(self, found: Any) -> Any:
        while "$ref" in found:
            place = self._document
            for part in found["$ref"].removeprefix("#/").split("/"):
                place = place[part]
            found = place
        return found


@asynccontextmanager
async def serving_all(url: str) -> AsyncIterator[Caller]:
    """Serve an application that has something of every kind."""
    app = App(orders_service(), failing_service())
    provider = Provider(StandingClock())
    app.reconcile("till-orders", Order, Orders(provider), events=[OrderSeen, OrderGone], every=timedelta(days=1))
    app.receiver("till", STRIPE, secrets=(SECRET,), source="/till")
    local = {"delivery_http": "on", "delivery_subnets": "127.0.0.0/8", "delivery_delays": "0"}
    async with serving(app, Settings(database_url=url, port=0, **local)) as caller:  # type: ignore[arg-type]
        yield caller


def failing_service() -> Service:
    """Return a service that parks the subject of whatever it is told."""
    failing = Service("failing")

    @failing.view(key=("order_id",))
    class Seen:
        order_id: str

    @failing.fold(Seen, OrderSeen)
    def seen(row: Seen | None, event: OrderSeen) -> Seen:
        raise ValueError("not today")

    return failing


async def real_names(caller: Caller) -> dict[str, str]:
    """Make what can be made, so that texts are compared with rows, and return the name of one of each kind."""
    pull = json.dumps({"pattern": {"type": ["order-seen"]}, "via": "poll"})
    assert (await caller.put("/endpoints/partner", JSON, pull)).status == 201
    nobody = json.dumps({"pattern": {"type": ["order-seen"]}, "url": "http://127.0.0.1:9/"})
    assert (await caller.put("/endpoints/nobody", JSON, nobody)).status == 201
    assert (await send(caller, delivery("evt_1"))).status in (200, 202)
    for order, amount in (("o1", 1), ("o2", 2)):
        data = json.dumps({"order_id": order, "amount": amount, "updated_at": "2026-05-04T10:11:12Z"})
        reply = await caller.put(f"/events/web/{amount}", {"ce-type": "order-seen", **JSON}, data)
        assert reply.status == 201, reply.body
    for some in ("/dead-letters", "/deliveries?state=dead", "/deliveries?endpoint=partner", "/receivers/till/receipts"):
        await until_some(caller, some)
    consumer = (await caller.get("/consumers")).json["consumers"][0]["consumer"]
    run = (await caller.get("/reconciliations")).json["reconciliations"]
    return {**REAL, "consumer": quote(consumer, safe=""), "run": run[0]["id"] if run else "x"}


async def until_some(caller: Caller, path: str) -> None:
    """Come back when a list is not empty."""
    async with asyncio.timeout(30):
        while not any(isinstance(each, list) and each for each in (await caller.get(path)).json.values()):
            await asyncio.sleep(0.05)


async def test_hostile_text_is_never_a_failure_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    await walk("sqlite:///:memory:", caplog)


async def test_hostile_text_is_never_a_failure_of_the_server_on_postgresql(
    bare_postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await walk(bare_postgres_url, caplog)


async def walk(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving_all(url) as caller:
        document = Document((await caller.get("/openapi.json")).json)
        asked = list(document.requests(await real_names(caller)))
        assert len(asked) > 1_000
        wrong = [(each, told) for n, each in enumerate(asked) if (told := await wrong_with(caller, each, n))]
    assert wrong == []
    told = [record for record in caplog.records if record.name not in ("tidings.endpoints", "tidings.outcomes")]
    assert [record.getMessage() for record in told if record.levelno >= logging.ERROR] == []


async def wrong_with(caller: Caller, asked: Asked, n: int) -> str:
    """Return what is wrong with an answer; nothing if it is as documented."""
    if asked.target.startswith("/events/stream") and not asked.is_nul:
        return ""  # it begins, and never ends
    headers = {"idempotency-key": f'"{n}"', **(JSON if asked.body else {})}
    try:
        async with asyncio.timeout(30):
            reply = await caller.ask(asked.method, asked.target, headers, asked.body)
    except (AssertionError, TimeoutError) as error:
        return repr(error)
    # A receiver is looked for by the last part of the path as it was sent.
    refused = (400, 422, 404) if asked.target.startswith("/hooks/") else (400, 422)
    is_wrong = reply.status >= 500 or (asked.is_nul and reply.status not in refused)
    return f"{reply.status} {reply.body!r}" if is_wrong else ""
