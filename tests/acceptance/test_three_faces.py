"""One rule for what operators do: the command line, HTTP and the console do it, or refuse it, in the same words."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import JSON
from tests.acceptance.place import Place
from tests.browser.shop import open_shop
from tidings.backends.sqlite import open_sqlite
from tidings.events.timestamp import time_text
from tidings.ports import Ports
from tidings.store.deliveries import Delivery
from tidings.store.reason import Reason

HOUR_US = 3_600_000_000
APP = {"TIDINGS_APP": "shop:app"}


class Faces:
    """A server; each face answers whether it did what was asked, and what it said."""

    def __init__(self, place: Place, url: str) -> None:
        self._place = place
        self._url = url
        # The console's cookies belong to its browser alone.
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._api = urllib.request.build_opener()

    def get(self, path: str) -> Any:
        return json.loads(self._api.open(self._url + path, timeout=60).read())

    def page(self, path: str) -> str:
        return str(self._browser.open(f"{self._url}/console{path}", timeout=60).read().decode())

    def http(self, path: str, **body: Any) -> tuple[bool, str]:
        headers = {"content-type": "application/json", "idempotency-key": f'"{path}"'}
        asked = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers, method="POST")
        try:
            return True, self._api.open(asked, timeout=60).read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                problem = json.loads(refused.read())
            return False, f"{refused.code} {problem['type'].rpartition(':')[2]}: {problem['detail']}"

    def cli(self, *arguments: str) -> tuple[bool, str]:
        ended = self._place.tidings(*arguments, **APP)
        assert ended.code in (0, 1, 2), ended.err
        return ended.code == 0, ended.out or f"{ended.code} {ended.err}"

    def console(self, shown: str, path: str, **fields: str) -> tuple[bool, str]:
        token = re.search(r'name="token" value="([0-9a-f]+)"', self.page(shown))
        assert token is not None
        sent = urllib.parse.urlencode({"token": token[1], **fields}).encode()
        asked = urllib.request.Request(f"{self._url}/console{path}", sent, {"origin": self._url})
        try:
            return True, self._browser.open(asked, timeout=60).read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                text = refused.read().decode().partition("<main")[2]
            return False, f"{refused.code} {' '.join(unescape(re.sub('<[^>]*>', ' ', text)).split())}"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    """`-1` is dead at 1, and 2 waits behind it; of the calls, `d-n` wait for an hour, `l` is made, `c` is cancelled.

    Of a consumer `gone`, which nobody runs, `-1` is dead too.
    """
    place = Place(tmp_path_factory.mktemp("shop"))
    for n in (1, 2):
        assert place.emit("-1", -1, id=f"order-{n}").code == 0
    asyncio.run(fill(place))
    with place.serving() as url:
        place.eventually("dead", "list", until=lambda found: 1 in {each["followers"] for each in found})
        yield Faces(place, url)


async def fill(place: Place) -> None:
    opened = open_sqlite(str(place.folder / "tidings.db"), Ports())
    keys = ("d-1", "d-2", "d-3", "l", "c")
    async with opened.store.unit() as unit:
        await unit.intend([Delivery(key=key, service="mail", function="send", payload=b"1") for key in keys])
    claimed = await opened.store.claim_deliveries(owner="o", services=["mail"], limit=5, ttl=timedelta(hours=1))
    later = Reason(kind="handler-failed", error="OSError: no", next_at=Ports().clock.now_us() + HOUR_US)
    for each in claimed[:3]:
        await opened.store.settle_delivery(each, later)
    await opened.store.cancel_delivery("c", at=Ports().clock.now_us())
    failed = Reason(kind="handler-failed", error="ValueError: no", next_at=None)
    async with opened.store.unit() as unit:
        [first] = await opened.log.at([1])
        await unit.park("gone", "-1", [first], failed)
    await opened.close()


def test_what_was_dropped_is_called_that_on_every_face(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.emit("-1", -1, id="order-1").code == 0
    with place.serving() as url:
        place.eventually("dead", "list", until=lambda found: bool(found))
        faces = Faces(place, url)
        assert faces.cli("dead", "drop", "orders", "--reason", "a test order", "--", "-1")[0]
        status = faces.get("/events/%2Fshop/order-1/status")
        [orders] = [each for each in status["consumers"] if each["consumer"] == "orders"]
        assert (orders["state"], orders["dropped"]["who"]) == ("dropped", "cli")
        at = orders["dropped"]["at"]
        _, shown = faces.cli("log", "show", "/shop", "order-1")
        assert re.search(rf"orders +dropped +not handled: given up {at} by cli: a test order", shown), shown
        page = faces.page("/event?source=%2Fshop&id=order-1")
        assert "not handled: an operator gave it up" in page
        assert "by cli: a test order" in page


def test_what_waits_behind_a_dead_letter_is_dropped_on_no_face(faces: Faces) -> None:
    [head] = faces.get("/dead-letters?consumer=orders")["dead_letters"]
    [first, follower] = faces.get(f"/dead-letters/{head['dead_letter']}")["subject_letters"]
    at = follower.rpartition(":")[2]
    told = f"waits behind {first}: redrive or drop that one first"
    done, said = faces.http(f"/dead-letters/{follower}/drop", reason="x")
    assert (done, said.startswith("409 "), told in said) == (False, True, True)
    done, said = faces.cli("dead", "drop", "orders", "--reason", "x", "--position", at, "--", "-1")
    assert (done, said.startswith("1 "), told in said) == (False, True, True), said
    shown = "/dead/subject?consumer=orders&subject=-1"
    done, said = faces.console(shown, "/dead/drop", consumer="orders", subject="-1", position=at, reason="x")
    assert (done, said.startswith("409 "), told in said) == (False, True, True), said
    assert f'<option value="{at}"' not in faces.page(shown)
    assert faces.get("/dead-letters?consumer=orders")["dead_letters"] == [head]


def test_a_delivery_that_waits_is_due_now_on_every_face(faces: Faces) -> None:
    assert faces.http("/deliveries/d-1/retry")[0]
    assert faces.cli("deliveries", "retry", "d-2")[0]
    assert "Retry" in faces.page("/deliveries/d-3")
    assert faces.console("/deliveries/d-3", "/deliveries/retry", key="d-3")[0]
    for key in ("d-1", "d-2", "d-3"):
        shown = faces.get(f"/deliveries/{key}")
        assert (shown["state"], shown["attempts"], shown["reason"]) == ("due", 1, "handler-failed")
        assert shown["next_at"] <= time_text(Ports().clock.now_us())


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("l", "'l' is leased: it is being called now"),
        ("c", "'c' is cancelled: there is nothing to retry"),
    ],
)
def test_a_delivery_that_cannot_be_due_now_is_refused_on_every_face(faces: Faces, key: str, told: str) -> None:
    done, said = faces.http(f"/deliveries/{key}/retry")
    assert (done, said.startswith("409 "), told in said) == (False, True, True), said
    done, said = faces.cli("deliveries", "retry", key)
    assert (done, said.startswith("1 "), told in said) == (False, True, True), said
    done, said = faces.console(f"/deliveries/{key}" if key == "l" else "/deliveries/l", "/deliveries/retry", key=key)
    assert (done, said.startswith("409 "), told in said) == (False, True, True), said


def test_a_trial_of_a_drop_needs_its_reason_too(faces: Faces) -> None:
    [head] = faces.get("/dead-letters?consumer=orders")["dead_letters"]
    told = "say why it is given up: the reason is kept in the audit"
    one = faces.http(f"/dead-letters/{head['dead_letter']}/drop", reason=" ", dry_run=True)
    assert one == (False, f"422 invalid-configuration: {told}")
    assert faces.http("/dead-letters/drop", reason=" ", where={"state": "dead"}, dry_run=True) == one
    words = ("dead", "drop-each", "--state", "dead", "--reason", " ", "--dry-run")
    assert faces.cli(*words) == (False, f"2 tidings: {told}\n")


def test_a_filter_of_many_is_not_taken_for_one_subject(faces: Faces) -> None:
    told = "2 tidings: give CONSUMER and SUBJECT, or --all with what it is limited to, not both\n"
    for option, value in (("--state", "dead"), ("--reason", "process-died")):
        assert faces.cli("dead", "redrive", "orders", option, value, "--dry-run", "--", "-1") == (False, told)


def test_a_redrive_that_nobody_would_do_is_a_problem_of_consumers(faces: Faces) -> None:
    told = "nobody runs gone, so it would not be redriven"
    for path, body in (
        ("/dead-letters/redrive", {"where": {"consumer": "gone"}}),
        ("/dead-letters/gone:1/redrive", {}),
    ):
        done, said = faces.http(path, **body)
        assert (done, told in said, "cannot-replay" in said) == (False, True, True), said
    assert told in faces.cli("dead", "redrive", "gone", "--all")[1]


async def test_a_consumer_that_cannot_be_paused_is_a_problem_of_consumers(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        for step, members in (("pause", {"reason": "x"}), ("resume", {})):
            reply = await shop.caller.post(JSON, json.dumps(members), f"/consumers/orders.stock@1/{step}")
            assert (reply.problem, "folded by appends" in reply.json["detail"]) == ((409, "cannot-replay"), True)
