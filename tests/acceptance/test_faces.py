"""The command line's `--json` and HTTP show the same thing in the same members, with the same values."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.acceptance.place import Place
from tidings.backends.sqlite import open_sqlite
from tidings.ports import Ports
from tidings.store.deliveries import Delivery
from tidings.store.reason import Reason


class Faces:
    """A server, asked over HTTP and by commands on its database."""

    def __init__(self, place: Place, url: str) -> None:
        self.place = place
        self.url = url

    def http(self, path: str, *, method: str = "GET", body: Any = None, **headers: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers |= {"content-type": "application/json"} if data else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = urllib.request.Request(self.url + path, data, named, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def cli(self, *arguments: str) -> Any:
        """Return what the command prints; what stands behind `--` may begin with a hyphen."""
        options = arguments[: arguments.index("--")] if "--" in arguments else arguments
        ended = self.place.tidings(*options, "--json", *arguments[len(options) :], TIDINGS_APP="shop:app")
        assert ended.code == 0, ended.err
        return ended.json


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    """Order 1 was placed; -1 is a dead letter with one that waits behind it, as -2 is; `k-1` is a dead delivery."""
    place = Place(tmp_path_factory.mktemp("shop"))
    for n, order in enumerate(("1", "-1", "-1", "-2")):
        assert place.emit(order, int(order), id=f"order-{n}").code == 0
    asyncio.run(fill(place))
    with place.serving() as url:
        wait_for_consumers(place)
        place.eventually("dead", "list", until=lambda found: len(found) == 3)
        yield Faces(place, url)


def wait_for_consumers(place: Place) -> None:
    """Wait until each consumer has settled all that was appended."""
    settled = ("consumers", "--app", "shop:app")
    place.eventually(*settled, until=lambda all: all and not any(each["lag"]["entries"] for each in all))


async def fill(place: Place) -> None:
    opened = open_sqlite(str(place.folder / "tidings.db"), Ports())
    async with opened.store.unit() as unit:
        await unit.intend([Delivery(key=key, service="mail", function="send", payload=b"1") for key in ("k-1", "k-2")])
    [claimed] = await opened.store.claim_deliveries(owner="one", services=["mail"], limit=1, ttl=timedelta(seconds=60))
    await opened.store.settle_delivery(claimed, Reason(kind="handler-failed", error="OSError: no", next_at=None))
    await opened.close()


def shape(value: Any) -> Any:
    """Return the names of a value's members, and of theirs, without the values."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else "null" if value is None else "value"


def test_what_became_of_an_event_is_said_alike(faces: Faces) -> None:
    event = {"order_id": "1", "total": 1}
    over_http = faces.http("/events/%2Fshop/order-0", method="PUT", body=event, ce_type="order-placed")
    assert faces.place.emit("1", 1, id="order-0").json == over_http


def test_who_emits_by_command_reads_that_write_over_http(faces: Faces) -> None:
    kept = faces.place.emit("1", 1, id="order-0").json
    read = {"tidings-min-position": kept["position"], "prefer": "wait=10"}
    assert faces.http("/views/orders/order/1", **read)["row"]["order_id"] == "1"


def test_entries_are_alike(faces: Faces) -> None:
    over_http = faces.http("/events?type=order-placed&limit=100")["entries"]
    assert len(over_http) == 4
    assert faces.cli("log", "tail", "--type", "order-placed") == over_http


def test_where_an_event_stands_is_said_alike(faces: Faces) -> None:
    for n in range(3):
        status = faces.http(f"/events/%2Fshop/order-{n}/status")
        shown = faces.cli("log", "show", "/shop", f"order-{n}")
        assert {name: shown[name] for name in status} == status
        assert shown["event"] == faces.http(f"/events/%2Fshop/order-{n}")
        [root] = [each for each in shown["chain"]["events"] if each["id"] == f"order-{n}"]
        assert root["position"] == status["position"]


def test_consumers_are_alike(faces: Faces) -> None:
    over_http, by_command = faces.http("/consumers")["consumers"], faces.cli("consumers")
    assert shape(by_command) == shape(over_http)
    for ours, theirs in zip(by_command, over_http, strict=True):
        assert ours | {"partitions": []} == theirs | {"partitions": []}
        assert [each["checkpoint"] for each in ours["partitions"]] == [
            each["checkpoint"] for each in theirs["partitions"]
        ]


def test_pausing_and_resuming_answer_alike(faces: Faces) -> None:
    paused = faces.cli("consumers", "pause", "stock", "--reason", "we count")
    again = faces.http("/consumers/stock/pause", method="POST", body={"reason": "we count"})
    assert (paused["state"], paused["paused"]) == (again["state"], again["paused"]) == ("paused", "we count")
    assert set(paused) == set(again)
    assert set(faces.cli("consumers", "resume", "stock")) == set(again)


def test_a_replay_answers_alike_and_takes_the_same_positions(faces: Faces) -> None:
    first = faces.http("/events?limit=1")["entries"][0]["position"]
    body, path = {"from_position": first}, "/consumers/stock/replay"
    over_http = faces.http(path, method="POST", body=body, idempotency_key='"faces"')
    wait_for_consumers(faces.place)  # what has not come again yet cannot be asked for once more
    by_command = faces.cli("log", "replay", "stock", "--from-position", first)
    assert shape(by_command) == shape(over_http)
    assert (by_command["after"], by_command["consumer"]) == (over_http["after"], "stock")
    refused = faces.place.tidings("log", "replay", "stock", "--from-position", "0000ffff-1", "--app", "shop:app")
    assert (refused.code, "--from-position: '0000ffff-1' is of another log" in refused.err) == (2, True)


def test_views_are_alike(faces: Faces) -> None:
    by_command = {(each["service"], each["view"]): each for each in faces.cli("views", "list")}
    over_http = faces.http("/views")["views"]
    assert len(over_http) == len(by_command) == 2
    for view in over_http:
        shown = by_command[view["service"], view["view"]]
        assert {name: shown[name] for name in view} == view


def test_the_rows_of_a_view_are_alike(faces: Faces) -> None:
    assert faces.cli("views", "show", "orders.order") == faces.http("/views/orders/order")["rows"]


def test_dead_letters_are_alike(faces: Faces) -> None:
    over_http = faces.http("/dead-letters")["dead_letters"]
    assert sorted(each["followers"] for each in over_http) == [0, 0, 1]
    assert faces.cli("dead", "list") == over_http
    for letter in over_http:
        one = faces.http(f"/dead-letters/{letter['dead_letter']}")
        assert faces.cli("dead", "show", letter["dead_letter"]) == one
        if letter["kind"] == "handler":
            shown = faces.cli("dead", "show", "orders", "--", letter["subject"])
            assert {name: shown[name] for name in one} == one


def test_what_is_done_to_dead_letters_is_answered_alike(faces: Faces) -> None:
    key = {"idempotency_key": '"dry"'}
    asked = {"where": {"consumer": "orders"}, "dry_run": True}
    over_http = faces.http("/dead-letters/redrive", method="POST", body=asked, **key)
    assert faces.cli("dead", "redrive", "orders", "--all", "--dry-run") == over_http
    where = {"where": {"consumer": "orders", "reason": "not-retryable"}, "reason": "x", "dry_run": True}
    over_http = faces.http("/dead-letters/drop", method="POST", body=where, idempotency_key='"dry2"')
    asked_so = ("--consumer", "orders", "--where-reason", "not-retryable", "--reason", "x", "--dry-run")
    assert faces.cli("dead", "drop-each", *asked_so) == over_http
    body = {"where": {"kind": "delivery"}, "dry_run": True}
    over_http = faces.http("/dead-letters/redrive", method="POST", body=body, idempotency_key='"dry3"')
    assert faces.cli("dead", "redrive", "--all", "--kind", "delivery", "--dry-run") == over_http
    assert over_http["subjects"] == 1


def test_deliveries_and_their_attempts_are_alike(faces: Faces) -> None:
    over_http = faces.http("/deliveries")["deliveries"]
    assert [each["key"] for each in over_http] == ["k-1", "k-2"]
    assert faces.cli("deliveries", "list") == over_http
    assert faces.cli("deliveries", "list", "--reason", "handler-failed") == over_http[:1]
    assert faces.http("/deliveries?reason=handler-failed")["deliveries"] == over_http[:1]
    attempts = faces.http("/deliveries/k-1/attempts")
    assert len(attempts["attempts"]) == 1
    assert faces.cli("deliveries", "show", "k-1") == {"delivery": faces.http("/deliveries/k-1"), **attempts}


def test_what_is_done_to_a_delivery_is_answered_alike(faces: Faces) -> None:
    assert faces.cli("deliveries", "retry", "k-1") == faces.http("/deliveries/k-1/retry", method="POST")
    assert faces.cli("deliveries", "cancel", "k-1") == faces.http("/deliveries/k-1/cancel", method="POST")


def test_endpoints_are_alike(faces: Faces) -> None:
    url = "https://example.com/hooks"
    made = faces.http("/endpoints/crm", method="PUT", body={"url": url})
    assert shape(faces.cli("endpoints", "add", url, "--id", "other")) == shape(made)
    assert faces.cli("endpoints", "list") == faces.http("/endpoints")["endpoints"]
    changed = faces.cli("endpoints", "change", "crm", "--set", "slots=9", "--type", "order-placed")
    assert (changed["slots"], changed["pattern"]) == (9, {"type": ["order-placed"]})
    assert faces.cli("endpoints", "show", "crm") == faces.http("/endpoints/crm") == changed
    paused = faces.cli("endpoints", "pause", "crm", "--reason", "they move")
    again = faces.http("/endpoints/crm/pause", method="POST", body={"reason": "they move"})
    assert (paused["state"], paused["reason"]) == (again["state"], again["reason"]) == ("paused", "they move")
    assert set(paused) == set(again) == set(faces.cli("endpoints", "resume", "crm"))
    assert faces.cli("endpoints", "remove", "other") == {"endpoint": "other", "cancelled": 0}


def test_what_is_done_with_an_endpoint_is_said_alike(faces: Faces) -> None:
    faces.http("/endpoints/erp", method="PUT", body={"url": "https://erp.example.com/"})
    base = "/endpoints/erp"

    def http(act: str, **members: Any) -> Any:
        return faces.http(f"{base}/{act}", method="POST", body=members, idempotency_key=f'"erp-{act}"')

    assert shape(faces.cli("endpoints", "rotate", "erp")) == shape(http("secrets"))
    assert faces.cli("endpoints", "recover", "erp", "--dry-run") == http("recover", dry_run=True)
    asked = {"types": ["order-placed"], "dry_run": True}
    by_command = faces.cli("endpoints", "replay", "erp", "--type", "order-placed", "--dry-run")
    assert by_command == http("replay", **asked)
    assert by_command["deliveries"] == 4
    assert shape(faces.cli("endpoints", "test", "erp")) == shape(http("test"))
    refused = faces.place.tidings("endpoints", "replay", "erp", "--after", "0000ffff-1")
    assert (refused.code, "--after: '0000ffff-1' is of another log" in refused.err) == (2, True)
    refused = faces.place.tidings("endpoints", "change", "erp", "--set", "slots")
    assert (refused.code, "MEMBER=JSON" in refused.err) == (2, True)
