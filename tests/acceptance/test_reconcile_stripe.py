"""The adapter of `docs/how-to/reconcile-stripe.md`, as it stands there, against Till's real HTTP server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.place import Place
from tidings import Settings
from tidings.demo.server import free_port
from tidings.demo.till_listing import EMPTY, PARTIAL, PER_SECOND

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "reconcile-stripe.md"
LINES_MAX = 40
READ_AS_OF = 4.0
"""As many seconds as a read may lie behind its answer, whose `Date` has whole ones: a fast machine makes all runs in
fewer."""


def program() -> str:
    [found] = re.findall(r"```python\n(# payments.py\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(found)


@contextmanager
def till() -> Iterator[str]:
    """Run Till where all has happened, and nothing was told of it; yield its address."""
    port = free_port()
    drawn = ("--to", "http://127.0.0.1:9", "--seed", "7", "--events", "1500", "--lost", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "tidings.demo.till_server", "--port", str(port), *drawn],
        env=os.environ | {"CHIRP_TILL_SECRET": "whsec_aGVsbG8="},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        tell(url)
        yield url
    finally:
        process.kill()
        process.wait()


def tell(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            with urlopen(Request(f"{url}/tell", method="POST"), timeout=10):
                break
        except ConnectionError as error:
            raised: Exception = error
        except OSError as error:
            raised = error
        if time.monotonic() > end:
            raise raised
        time.sleep(0.05)
    while not read(f"{url}/report")["over"]:
        time.sleep(0.05)


def read(url: str) -> Any:
    with urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


def told_to_wait(url: str) -> tuple[int, str | None] | None:
    """Return the status of a refusal and how long it asks to wait; None of what is read."""
    try:
        read(url)
    except HTTPError as refused:
        with refused:  # it keeps its connection until it is closed
            return refused.code, refused.headers["retry-after"]
    return None


def true(url: str) -> dict[str, dict[str, Any]]:
    """Return Till's orders, as its own history has them."""
    found: dict[str, dict[str, Any]] = {}
    for id, _, order in read(f"{url}/history"):
        found.pop(id, None)
        if order is not None:
            found[id] = {name: order[name] for name in ("order_id", "state", "paid")}
    return found


def test_the_adapter_has_less_than_forty_lines() -> None:
    [adapter] = re.findall(r"^class Till:\n.*?(?=^app = )", program(), re.DOTALL | re.MULTILINE)
    assert len([line for line in adapter.splitlines() if line.strip()]) < LINES_MAX


def test_of_a_key_with_signs_of_urls_that_very_order_is_asked_for() -> None:
    asked: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b'{"error": {"code": "resource_missing"}}'
            self.send_response(404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    made: dict[str, Any] = {}
    exec(compile(program(), "payments.py", "exec"), made)
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        adapter = made["Till"](f"http://127.0.0.1:{server.server_port}")
        for key in ("order-2#b", "a/b?c", "order-2"):
            answer = asyncio.run(adapter.get_one(key))
            assert answer.row is None
        server.shutdown()
    assert asked == ["/v1/orders/order-2%23b", "/v1/orders/a%2Fb%3Fc", "/v1/orders/order-2"]


@pytest.mark.timeout(600)
def test_what_no_webhook_told_is_found_and_what_two_lists_leave_out_is_not_deleted(tmp_path: Path) -> None:
    with till() as url:
        place, app = Place(tmp_path), ("--app", "shop:app")
        asked = program().replace("https://till.example", url).replace(", every=timedelta(minutes=10)", "")
        (tmp_path / "shop.py").write_text(asked, "utf-8")
        orders = true(url)
        assert len(orders) > 100  # more than a page
        with place.serving():
            runs = []
            for _ in range(PARTIAL + 1):  # the last one is whole again
                ended = place.tidings("reconcile", "run", "till", *app, "--json")
                assert ended.code in (0, 1), ended.err
                runs.append(ended.json)
                if len(runs) == 2:  # what was repaired is shown before a list leaves it out
                    place.eventually("asof", "till", *app, until=lambda found: found[0]["delete"]["as_of"])
                    time.sleep(READ_AS_OF)  # else a list is of a time before it was shown, and leaves nothing out
            shown = place.tidings("views", "show", "payments.payment", "--limit", "1000", *app, "--json").json
            bounds = place.tidings("asof", "till", *app, "--json").json
    planned, applied, equal = runs[:3]
    assert (planned["dry"], planned["proposed"]) == (True, len(orders))
    assert (applied["dry"], applied["appended"]) == (False, len(orders))
    assert (equal["equal"], equal["appended"]) == (len(orders), 0)
    empty, partial = runs[EMPTY - 1], runs[PARTIAL - 1]
    assert (empty["state"], empty["rows"], empty["deletes"]) == ("held", 0, 0)
    assert (partial["deletes"], partial["suspects"] > 0) == (0, True)
    assert {row["order_id"]: row for row in shown} == orders
    assert bounds[0]["exceptions"] == []


def test_who_asks_too_fast_is_told_how_long_to_wait() -> None:
    with till() as url:
        with ThreadPoolExecutor(32) as asking:
            told = set(asking.map(told_to_wait, [f"{url}/v1/orders/order-1"] * (20 * PER_SECOND)))
        assert told == {None, (429, "1")}


def orders(count: int) -> list[dict[str, Any]]:
    said = {"state": "paid", "updated_at": "2026-01-01T12:00:00+00:00", "item": "mug"}
    return [{"order_id": f"order-{n}", "paid": n, **said} for n in range(count)]


@contextmanager
def listing(found: list[dict[str, Any]]) -> Iterator[str]:
    """Serve these orders as Till does; yield the address."""

    class Listed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            id = self.path.removeprefix("/v1/orders").removeprefix("/")
            one = [order for order in found if order.get("order_id") == id]
            said = {"has_more": False, "data": found} if "?" in self.path else (one[0] if one else {})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Listed) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


async def test_an_order_that_cannot_be_read_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = orders(4)
    del found[1]["paid"]
    with listing(found) as url:
        (tmp_path / "payments_shown.py").write_text(program().replace("https://till.example", url), "utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        app = import_module("payments_shown").app
        async with app.open(Settings(database_url=f"sqlite:///{tmp_path}/tidings.db")) as opened:
            scope = opened.scopes["till"]
            run = await scope.run("run", applies=True)
            assert (run.state, run.appended) == ("done", 3), run.why
            assert run.why == "1 item cannot be read and is excepted, such as 'order-1': KeyError: 'paid'"
            bounds = await scope.asof()
            while bounds.deletes is None:
                await asyncio.sleep(0.01)
                bounds = await scope.asof()
            assert [(each.key, each.reason) for each in bounds.exceptions] == [("order-1", "unreadable")]
            del found[1]["order_id"]
            found[2] |= {"paid": 7, "updated_at": "2026-01-01T13:00:00+00:00"}
            run = await scope.run("run", applies=True)
            assert (run.state, run.appended, run.deleted, run.suspects) == ("done", 1, 0, 0)
            assert run.why.startswith("1 item listed without a key, so its page proves nothing, and both bounds stand")
            assert (await scope.asof()).deletes == bounds.deletes
