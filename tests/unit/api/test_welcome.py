from __future__ import annotations

import pytest
from tests.unit.api.scopes import ask
from tests.unit.api.shop import shop

from tidings import Settings
from tidings.operations import keys
from tidings.operations.keys import Asked
from tidings.ports import Ports
from tidings.serving import asgi

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("root", ["", "/events api"])
async def test_whoever_asks_there_is_sent_to_the_console_with_or_without_a_key(
    root: str, method: str, accept: str
) -> None:
    app = shop()
    settings = Settings(database_url="sqlite:///:memory:")
    async with app.open(settings, consume=False) as opened:
        await keys.add(opened.store, Ports(), Asked(owner="us", scopes=["events:read"]), who="cli")
        reply = await ask(asgi(app), method, root.replace(" ", "%20") + "/", {"accept": accept}, root_path=root)
    assert (reply.status, reply.headers["location"]) == (307, root.replace(" ", "%20") + "/console")


@pytest.mark.parametrize("method", ["POST", "PUT", "TRACE", "OPTIONS"])
async def test_what_is_no_visit_is_not_allowed_there(method: str) -> None:
    app = shop()
    async with app.open(Settings(database_url="sqlite:///:memory:"), consume=False):
        reply = await ask(asgi(app), method, "/")
    assert (reply.status, reply.slug, reply.headers["allow"]) == (405, "method-not-allowed", "GET, HEAD")


async def test_where_there_is_no_console_nobody_is_sent_there() -> None:
    app = shop()
    async with app.open(Settings(database_url="sqlite:///:memory:", console="off"), consume=False):
        reply = await ask(asgi(app), "GET", "/", {"accept": BROWSER})
    assert (reply.status, reply.slug) == (404, "not-found")
    assert reply.json["detail"].endswith("/openapi.json lists what is")
