"""What the console answers, and to whom."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.browser.shop import open_shop
from tests.browser.shop import shop as shop_app
from tests.unit.api.scopes import ask
from tests.unit.console.browsing import Browser, browsing, browsing_a_shop
from tidings import App, Service, Settings
from tidings.api.serve import Server
from tidings.errors import SettingError
from tidings.ports import Ports
from tidings.serving import asgi, console, console_url


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browsing_a_shop(tmp_path) as made:
        yield made


async def test_every_answer_is_kept_from_scripts_frames_and_caches(browser: Browser) -> None:
    for path in ("", "/", "/log", "/nowhere", "/consumers/nobody", "/log?no=such"):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none';"), path
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


async def test_no_page_holds_a_style_a_script_or_an_address_of_another_host(tmp_path: Path) -> None:
    async with browsing_a_shop(tmp_path, is_busy=True) as browser:
        for path in ("/", "/log", "/event?source=/web&id=placed-o-1001", "/consumers/stock", "/views/orders.order",
                     "/dead", "/dead/subject?consumer=shipping&subject=o-1004", "/deliveries", "/versions",
                     "/versions/order-paid", "/catalog", "/catalog/order-paid"):  # fmt: skip
            page = await browser.get(path)
            assert page.status == 200
            assert " style=" not in page.text
            assert " on" + "click=" not in page.text
            assert "//" not in page.text.replace("<!doctype", "").replace("://", "") or "http" not in page.text


async def test_a_view_without_folds_is_said_to_be_written_by_handlers_and_is_not_verified(tmp_path: Path) -> None:
    notes = Service("notes")

    @notes.view(key=("id",))
    class Note:
        id: str
        length: int

    async with open_shop(tmp_path, App(notes)) as shop, browsing(shop) as browser:
        assert "by handlers" in (await browser.get("/views")).words
        page = await browser.get("/views/notes.note")
    assert "handlers and commands write its rows" in page.words
    assert "Verify" not in page.words
    assert "consumer folds it" not in page.words


@pytest.mark.parametrize(
    ("method", "status", "title"), [("GET", 400, "This cannot be read"), ("POST", 422, "This was not done")]
)
async def test_a_page_that_is_refused_is_not_called_a_change(
    browser: Browser, method: str, status: int, title: str
) -> None:
    asked = browser.get("/dead?state=x") if method == "GET" else browser.change("/views/orders.order", "/dead/drop")
    page = await asked
    assert (page.status, title in page.words) == (status, True), page.words
    assert "Dead letters" in page.words  # and the way back


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nowhere", 404, "There is no page '/console/nowhere'; its links lead to those there are."),
        (
            "/event?source=/web&id=none",
            404,
            "There is no event 'none' of /web; look for it among",
        ),
        ("/event?source=/web", 400, "named by its source and its id"),
        ("/log?tpye=x", 400, "asks for 'tpye'; what this page can be asked for is before, source, subject, type"),
        ("/log?type=x&type=y", 400, "gives 'type' 2 times: give it once"),
        ("/log?before=x", 400, "'x' is no position"),
        ("/log?type=%ff", 400, "is not UTF-8"),
        ("/log/tail?after=" + "9" * 30, 400, "is no position"),
        ("/consumers/nobody", 404, "There is no consumer 'nobody'; there is "),
        ("/views/nobody.nothing", 404, "There is no view 'nobody.nothing'; there is "),
        ("/views/orders.order?where-total=x", 400, "'x' is not a whole number"),
        ("/views/orders.order?after=x", 400, "is no cursor of this view"),
        ("/views/orders.order/verify", 404, "There is no verification 'orders.order'"),
        ("/dead?consumer=nobody", 404, "There is no consumer 'nobody'"),
        ("/dead/subject?consumer=stock&subject=x", 404, "There is no parked subject 'x' of stock"),
        ("/deliveries?state=lost", 400, "'lost' is no state"),
        ("/dead?state=lost", 400, "'lost' is no state"),
    ],
)
async def test_what_is_not_there_or_cannot_be_read_is_told_on_a_page(
    browser: Browser, path: str, status: int, words: str
) -> None:
    page = await browser.get(path)
    assert (page.status, words in page.words) == (status, True), page.words
    assert page.headers["content-type"] == "text/html; charset=utf-8"


async def test_an_unforeseen_failure_is_logged_and_not_shown(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    await browser.shop.opened.store.close()
    page = await browser.get("/consumers")
    assert page.status in (500, 503)
    assert "Traceback" not in page.text


async def test_a_page_that_fails_again_and_again_at_one_place_is_logged_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr("tidings.telemetry.failures.PLACE_SECONDS", 3_600)
    async with browsing_a_shop(tmp_path) as browser:
        monkeypatch.setattr(browser.shop.opened.store, "views", fail)
        for _ in range(3):
            page = await browser.get("/views")
            assert (page.status, "secret" in page.text) == (500, False)
    [told] = [record for record in caplog.records if record.name == "tidings.console" and record.exc_info]
    assert "the secret" in str(told.exc_info and told.exc_info[1])


async def test_static_files_may_be_kept_since_their_addresses_change_with_them(browser: Browser) -> None:
    page = await browser.get("/")
    assert "/console/static/console.css?" in page.text
    css = await browser.get("/static/console.css")
    assert (css.status, css.headers["content-type"].partition(";")[0]) == (200, "text/css")
    assert "immutable" in css.headers["cache-control"]
    for path in ("/static/frame.html", "/static/..%2fsession.py", "/static/%2e%2e/session.py"):
        assert (await browser.get(path)).status == 404


async def test_requests_that_may_come_from_elsewhere_are_refused_as_the_api_refuses_them(browser: Browser) -> None:
    for name, value in (("host", "evil.example"), ("x_forwarded_for", "10.0.0.1"), ("forwarded", "for=10.0.0.1")):
        page = await browser.get("/log", **{name: value})
        assert page.status == 401
        assert "only direct requests from this machine" in page.words
        assert "entries" not in page.text


async def test_console_refuses_open_bind(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'events.db'}", host="0.0.0.0", port=0)
    with pytest.raises(SettingError, match="has no API keys"):
        await Server(shop_app(), settings, Ports(), pages=console).run()


async def test_the_console_can_be_left_out(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'events.db'}", port=0, console="off")
    assert console_url("http://localhost:1", settings) is None
    async with shop_app().open(settings, consume=False) as opened:
        assert console(opened) is None
    with pytest.raises(SettingError, match='"on" or "off"'):
        Settings(console="maybe")  # type: ignore[arg-type]


async def test_mounted_under_a_path_all_its_links_lead_below_it(tmp_path: Path) -> None:
    app = shop_app()
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'events.db'}")
    site = Starlette(routes=[Mount("/a b/tidings", asgi(app))])
    async with app.open(settings, consume=False):
        for path in ("/a%20b/tidings/console", "/a%20b/tidings/console/log", "/a%20b/tidings/console/nowhere"):
            reply = await ask(site, "GET", path)
            text = reply.body.decode()
            assert text.count('="/') == text.count('="/a%20b/tidings/console/') > 5
            assert "Path=/a%20b/tidings/console" in dict(reply.headers)["set-cookie"]
        assert (await ask(site, "GET", "/a%20b/tidings/views")).status == 200


async def test_the_tail_sends_what_comes_as_cells_and_ends_with_the_server(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop, browsing(shop) as browser:
        await shop.count("mug", 1)
        async with browser.session.get(f"{shop.url}/log/tail?subject=cup", headers={"last-event-id": "0"}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            await shop.count("cup", 2)
            lines = await _until_data(answer.content)
            assert lines[0] == "retry: 1000"
            cells = json.loads(lines[-1].removeprefix("data: "))
            assert (cells["subject"], cells["type"], cells["data"]) == (
                "cup", "stock-counted v2", '{"article":"cup","count":2}'
            )  # fmt: skip
            assert cells["href"] == f"/console/event?source={quote('/scanner/7', safe='')}&id=cup-2"
            assert "id: 2" in lines
            shop.opened.stopping.set()
            rest = await asyncio.wait_for(answer.content.read(), 10)
            assert b"data:" not in rest


async def _until_data(stream: aiohttp.StreamReader) -> list[str]:
    lines: list[str] = []
    while not (lines and lines[-1].startswith("data:")):
        lines.append((await stream.readline()).decode().rstrip("\n"))
    return lines


async def test_the_catalog_says_of_a_type_who_sends_it_as_asyncapi_does(browser: Browser) -> None:
    async with browser.session.get(f"{browser.shop.url.removesuffix('/console')}/asyncapi.json") as answer:
        document = await answer.json()
    senders: dict[str, list[str]] = {type: [] for type in document["channels"]}
    for name, each in document["operations"].items():
        if each["action"] == "send":
            senders[each["channel"]["$ref"].rpartition("/")[2]].append(name)
    page = await browser.get("/catalog")
    cells = re.findall(r"/catalog/([a-z-]+)\">[^<]*</a></th>\s*<td data-label=\"Emitted by\">([^<]*)<", page.text)
    assert dict(cells).keys() == senders.keys()
    for type, told in cells:
        services = [] if told == "no service that runs" else told.split(", ")
        assert len(services) == len(senders[type]), (type, told)
        assert all(service in name for service, name in zip(services, senders[type], strict=True)), (type, told)
    assert dict(cells)["order-paid"] == "payments"
    assert "payments emits it" in (await browser.get("/catalog/order-paid")).words
