"""The table of what the API serves, and what its handlers share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from starlette.requests import Request

from tidings.api.answer import Answer, Application
from tidings.api.arrivals import Arrivals
from tidings.api.bodies import Bodies
from tidings.api.consumers import Consumers
from tidings.api.deliveries import Deliveries
from tidings.api.descriptions import Descriptions
from tidings.api.endpoint_acts import EndpointActs
from tidings.api.endpoints import Endpoints
from tidings.api.entries import Entries
from tidings.api.health import Health
from tidings.api.hooks import Hooks
from tidings.api.ingest import Ingest
from tidings.api.letters import Letters
from tidings.api.metrics import Metrics
from tidings.api.polling import Polling
from tidings.api.rates import Rates
from tidings.api.reading import Reading
from tidings.api.receivers import Receivers
from tidings.api.reconciliations import Reconciliations
from tidings.api.refusals import Refusals
from tidings.api.repeats import Repeats
from tidings.api.routing import Operation
from tidings.api.stream import Stream
from tidings.api.versions import Versions
from tidings.api.views import Views
from tidings.api.waiting import Waiting
from tidings.app.opened import Opened
from tidings.faces.tokens import Tokens


class Parts:
    """What the handlers of one application share. `incarnation`: of its log, which marks position tokens."""

    def __init__(self, opened: Opened, incarnation: str) -> None:
        clock = opened.ports.clock
        self.tokens = Tokens(incarnation)
        self.waiting = Waiting(clock)
        self.rates = Rates(opened.settings, clock, opened.telemetry.limited)
        self.bodies = Bodies(clock)
        self.reading = Reading(opened.log, self.tokens)
        self.repeats = Repeats(opened.store, clock)
        self.ingest = Ingest(opened, self.tokens, self.bodies, self.repeats, self.rates)
        self.hooks = Hooks(opened, self.rates)
        self.refusals = Refusals(clock)
        self.arrivals = Arrivals(opened.log, clock)


def operations(opened: Opened, parts: Parts) -> tuple[Operation, ...]:
    """Return every operation of the API but that which describes them."""
    return (
        *_events(opened, parts),
        *_views(opened, parts),
        *_operating(opened, parts),
        *_sending(opened, parts),
        *_receiving(opened, parts),
        *_reconciling(opened, parts),
        *_hooks(parts),
        *_own(opened),
    )


def _events(opened: Opened, parts: Parts) -> Iterator[Operation]:
    entries = Entries(opened, parts.tokens, parts.reading, parts.waiting, parts.arrivals)
    stream = Stream(opened, parts.tokens, parts.waiting, parts.arrivals, parts.refusals)

    async def post(request: Request) -> Answer:
        return await parts.ingest.post(request.scope, request.receive)

    async def put(request: Request) -> Answer:
        source, id = request.path_params["source"], request.path_params["id"]
        return await parts.ingest.put(request.scope, request.receive, source, id)

    yield Operation("GET", "/events", entries.list, "events:read")
    yield Operation("POST", "/events", post, "events:write", "accepted")
    yield Operation("GET", "/events/stream", stream.open, "events:read")
    yield Operation("GET", "/events/{source}/{id}", entries.get, "events:read")
    yield Operation("PUT", "/events/{source}/{id}", put, "events:write")
    yield Operation("GET", "/events/{source}/{id}/status", entries.status, "events:read")


def _views(opened: Opened, parts: Parts) -> Iterator[Operation]:
    views = Views(opened, parts.reading, parts.waiting)
    yield Operation("GET", "/views", views.list, "views:read")
    yield Operation("GET", "/views/{service}/{view}", views.rows, "views:read")
    yield Operation("GET", "/views/{service}/{view}/{key:path}", views.row, "views:read")


def _operating(opened: Opened, parts: Parts) -> Iterator[Operation]:
    consumers = Consumers(opened, parts.tokens, parts.bodies, parts.repeats)
    letters = Letters(opened, parts.tokens, parts.bodies, parts.repeats)
    deliveries = Deliveries(opened, parts.bodies)
    yield Operation("GET", "/consumers", consumers.list, "consumers:read")
    yield Operation("GET", "/consumers/{consumer}", consumers.get, "consumers:read")
    yield Operation("POST", "/consumers/{consumer}/pause", consumers.pause, "consumers:write")
    yield Operation("POST", "/consumers/{consumer}/resume", consumers.resume, "consumers:write")
    yield Operation("POST", "/consumers/{consumer}/replay", consumers.replay, "consumers:write", "required")
    yield from _versions(opened, parts)
    yield Operation("GET", "/dead-letters", letters.list, "dead-letters:read")
    yield Operation("POST", "/dead-letters/redrive", letters.redrive_all, "dead-letters:write", "required")
    yield Operation("POST", "/dead-letters/drop", letters.drop_each, "dead-letters:write", "required")
    yield Operation("GET", "/dead-letters/{n}", letters.get, "dead-letters:read")
    yield Operation("POST", "/dead-letters/{n}/redrive", letters.redrive, "dead-letters:write", "required")
    yield Operation("POST", "/dead-letters/{n}/drop", letters.drop, "dead-letters:write", "required")
    yield Operation("GET", "/deliveries", deliveries.list, "deliveries:read")
    yield Operation("GET", "/deliveries/{key}", deliveries.get, "deliveries:read")
    yield Operation("GET", "/deliveries/{key}/attempts", deliveries.attempts, "deliveries:read")
    yield Operation("POST", "/deliveries/{key}/retry", deliveries.retry, "deliveries:write")
    yield Operation("POST", "/deliveries/{key}/cancel", deliveries.cancel, "deliveries:write")


def _versions(opened: Opened, parts: Parts) -> Iterator[Operation]:
    versions = Versions(opened, parts.tokens)
    yield Operation("GET", "/versions", versions.list, "versions:read")
    yield Operation("GET", "/versions/may/{predicate}", versions.may, "versions:read")
    yield Operation("GET", "/versions/{type}", versions.of_type, "versions:read")
    yield Operation("GET", "/versions/{type}/{version}", versions.get, "versions:read")


def _hooks(parts: Parts) -> Iterator[Operation]:
    async def serve(request: Request) -> Application:
        return partial(parts.hooks.serve, request.path_params["receiver"])

    yield Operation("POST", "/hooks/{receiver}", serve, None)
    yield Operation("GET", "/hooks/{receiver}", serve, None)
    yield Operation("OPTIONS", "/hooks/{receiver}", serve, None)


def _sending(opened: Opened, parts: Parts) -> Iterator[Operation]:
    endpoints = Endpoints(opened, parts.bodies, parts.repeats)
    acts = EndpointActs(opened, parts.tokens, parts.bodies, parts.repeats)
    read, write, one = "endpoints:read", "endpoints:write", "/endpoints/{endpoint}"
    yield Operation("GET", "/endpoints", endpoints.list, read)
    yield Operation("POST", "/endpoints", endpoints.post, write, "accepted")
    yield Operation("GET", one, endpoints.get, read)
    yield Operation("PUT", one, endpoints.put, write)
    yield Operation("PATCH", one, endpoints.patch, write)
    yield Operation("DELETE", one, endpoints.delete, write)
    yield Operation("POST", f"{one}/secrets", endpoints.rotate, write, "required")
    yield Operation("DELETE", f"{one}/secrets/{{secret}}", endpoints.revoke, write)
    yield Operation("POST", f"{one}/test", acts.test, write, "required")
    yield Operation("POST", f"{one}/pause", acts.pause, write)
    yield Operation("POST", f"{one}/resume", acts.resume, write)
    yield Operation("POST", f"{one}/recover", acts.recover, write, "required")
    yield Operation("POST", f"{one}/replay", acts.replay, write, "required")
    polling = Polling(opened, parts.tokens, parts.bodies, parts.waiting)
    # What a page shows was decided on when the endpoint got its pattern; what is committed is settled.
    yield Operation("GET", f"{one}/poll", polling.poll, "deliveries:write")
    yield Operation("POST", f"{one}/poll", polling.commit, "deliveries:write")


def _receiving(opened: Opened, parts: Parts) -> Iterator[Operation]:
    receivers = Receivers(opened, parts.bodies, parts.repeats)
    read, write, one = "receivers:read", "receivers:write", "/receivers/{receiver}"
    yield Operation("GET", "/receivers", receivers.list, read)
    yield Operation("GET", one, receivers.get, read)
    yield Operation("PUT", one, receivers.put, write)
    yield Operation("DELETE", one, receivers.delete, write)
    yield Operation("GET", f"{one}/receipts", receivers.receipts, read)
    yield Operation("GET", f"{one}/receipts/{{n}}", receivers.receipt, read)
    yield Operation("GET", f"{one}/receipts/{{n}}/body", receivers.body, read)
    yield Operation("POST", f"{one}/receipts/{{n}}/replay", receivers.replay, write, "required")


def _reconciling(opened: Opened, parts: Parts) -> Iterator[Operation]:
    made = Reconciliations(opened, parts.bodies, parts.repeats)
    read, write, one = "reconciliations:read", "reconciliations:write", "/reconciliations/{run}"
    yield Operation("GET", "/asof", made.bounds, read)
    yield Operation("GET", "/asof/{scope}", made.bound, read)
    yield Operation("GET", "/reconciliations", made.list, read)
    yield Operation("POST", "/reconciliations", made.begin, write, "required")
    yield Operation("GET", one, made.get, read)
    yield Operation("POST", f"{one}/approve", made.approve, "reconciliations:approve", "required")
    yield Operation("POST", f"{one}/cancel", made.cancel, write)


def _own(opened: Opened) -> Iterator[Operation]:
    health, descriptions = Health(opened), Descriptions(opened)
    yield Operation("GET", "/healthz", health.alive, None)
    yield Operation("GET", "/readyz", health.ready, None)
    yield Operation("GET", "/metrics", Metrics(opened).get, "metrics:read")
    yield Operation("GET", "/asyncapi.json", descriptions.asyncapi, None)
    yield Operation("GET", "/schemas/{type}/{version}", descriptions.schema, None)
