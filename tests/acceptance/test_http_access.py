"""Who gets in, and how far: every route asks for its scope, and a key for some sources sees no others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.http_server import BATCH, BOOKMARKED, JSON, STRUCTURED, Caller, Reply, in_file, program, serving
from tidings import App, Settings
from tidings.api.application import application
from tidings.api.routing import OPEN, Operation
from tidings.api.serve import serve
from tidings.errors import SettingError
from tidings.operations import keys
from tidings.operations.keys import SCOPES, Asked
from tidings.ports import Ports, SystemClock

DATA = '{"tweet_id":"20","user_id":"jack"}'


async def token_of(
    settings: Settings, *scopes: str, owner: str = "us", sources: list[str] | None = None, expires: int | None = None
) -> str:
    async with App().open(settings, consume=False) as opened:
        asked = Asked(owner=owner, scopes=scopes or SCOPES, sources=sources, expires=expires)
        return (await keys.add(opened.store, opened.ports, asked, who="cli")).token


async def operations() -> list[Operation]:
    async with App().open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        return [each for each in (await application(opened)).operations if each.path not in OPEN]


@dataclass
class Keyed:
    """A caller with a key."""

    caller: Caller
    token: str

    async def ask(self, method: str, target: str, headers: dict[str, str] | None = None, body: str = "") -> Reply:
        given = {"authorization": f"Bearer {self.token}"} | (headers or {})
        return await self.caller.ask(method, target, given, body)

    async def get(self, target: str, **headers: str) -> Reply:
        return await self.ask("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})


@asynccontextmanager
async def keyed(folder: Path, *scopes: str, sources: list[str] | None = None) -> AsyncIterator[tuple[Keyed, Keyed]]:
    """A server with two callers: one who may do everything, one with these scopes and sources."""
    settings = in_file(folder)
    all_of_it = await token_of(settings)
    some = await token_of(settings, *scopes, sources=sources)
    async with serving(program(), settings, token=all_of_it) as caller:
        yield Keyed(caller, all_of_it), Keyed(caller, some)


def target_of(operation: Operation) -> str:
    return re.sub(r"\{[^}]*\}", "x", operation.path)


async def test_a_route_asks_for_a_scope_of_its_own_name() -> None:
    asked = {(each.path.split("/")[1], each.scope.split(":")[0]) for each in await operations() if each.scope}
    assert ("versions", "versions") in asked
    others = {("endpoints", "deliveries"), ("asof", "reconciliations")}  # a poll takes deliveries; runs move the bounds
    assert {pair for pair in asked if pair[0] != pair[1]} == others


async def test_every_route_denies_a_missing_scope(tmp_path: Path) -> None:
    table = await operations()
    assert len(table) > 5
    async with keyed(tmp_path, "versions:write") as (_, poor):
        for operation in table:
            reply = await poor.ask(operation.method, target_of(operation), JSON, "{}")
            if operation.path.startswith(("/hooks/", "/schemas/")):  # admitted, and there is nothing of that name
                assert reply.status == 404, operation
            elif operation.scope is None:
                assert reply.status == 200, operation
            else:
                assert reply.problem == (403, "scope-missing"), operation
                assert operation.scope in reply.json["detail"]


async def test_every_route_lets_in_a_key_with_its_scope(tmp_path: Path) -> None:
    settings, table = in_file(tmp_path), await operations()
    assert {each.scope for each in table} - {None} <= set(SCOPES)
    tokens = {each.scope: await token_of(settings, each.scope) for each in table if each.scope is not None}
    async with serving(program(), settings, token=next(iter(tokens.values()))) as caller:
        for operation in table:
            if operation.scope is not None and not operation.path.endswith("/stream"):
                reply = await Keyed(caller, tokens[operation.scope]).ask(operation.method, target_of(operation))
                assert reply.status not in (401, 403), operation


async def test_every_route_denies_a_foreign_tenant(tmp_path: Path) -> None:
    table = await operations()
    async with keyed(tmp_path, "events:write", "events:read", sources=["/mine"]) as (owner, tenant):
        theirs = await owner.ask("PUT", "/events/theirs/1", BOOKMARKED, DATA)
        assert theirs.status == 201
        for operation in table:
            if operation.scope not in (None, *keys.OF_SOURCES):
                assert (await tenant.ask(operation.method, target_of(operation))).status == 403, operation
        for target in ("/events/theirs/1",):
            assert (await tenant.get(target)).problem == (404, "not-found")
            assert (await tenant.ask("PUT", target, BOOKMARKED, DATA)).problem == (403, "scope-missing")
        structured = '{"specversion":"1.0","id":"2","source":"theirs","type":"tweet-bookmarked","data":' + DATA + "}"
        assert (await tenant.ask("POST", "/events", STRUCTURED, structured)).problem == (403, "scope-missing")
        mixed = f"[{structured.replace('theirs', '/mine')},{structured}]"
        assert (await tenant.ask("POST", "/events", BATCH, mixed)).problem == (403, "scope-missing")
        for target in ("/events", "/events?source=theirs"):
            page = (await tenant.get(target)).json
            assert (page["entries"], page["next"]) == ([], page["head"])
        assert (await tenant.ask("PUT", "/events/%2Fmine/1", BOOKMARKED, DATA)).status == 201
        assert (await tenant.get("/events/%2Fmine/1")).status == 200
        [entry] = (await tenant.get("/events")).json["entries"]
        assert entry["event"]["source"] == "/mine"


async def test_whatever_is_wrong_with_a_key_is_answered_in_the_same_words(tmp_path: Path) -> None:
    settings = in_file(tmp_path)
    good, other = await token_of(settings), await token_of(settings)
    gone = await token_of(settings, expires=SystemClock().now_us() + 200_000)
    revoked = await token_of(settings)
    async with App().open(settings, consume=False) as opened:
        await keys.revoke(opened.store, Ports(), revoked.split("_")[1], who="cli")
    id, secret = good.split("_", 2)[1:]
    wrong = [
        f"Bearer td_{id}_{other.split('_', 2)[2]}",
        f"Bearer td_{id}_",
        f"Bearer td_{id}_{secret[:-1]}",
        f"Bearer td_{id}_{secret}A",
        f"Bearer xx_{id}_{secret}",
        f"Bearer td_nobody_{secret}",
        f"Bearer {revoked}",
        f"Bearer {gone}",
        f"Basic {good}",
        good,
        "Bearer",
        "",
    ]
    async with serving(program(), settings, token=good) as caller:
        while (await Keyed(caller, gone).get("/events")).status == 200:
            pass  # until it has expired
        replies = [await caller.ask("GET", "/events", {"authorization": header}) for header in wrong]
        replies.append(await caller.ask("GET", "/events"))
        replies.append(await caller.ask("GET", "/events", [("authorization", f"Bearer {good}")] * 2))
        assert {reply.problem for reply in replies} == {(401, "unauthenticated")}
        assert {reply.headers["www-authenticate"] for reply in replies} == {"Bearer"}
        assert len({reply.body for reply in replies}) == 1
        assert (await caller.ask("GET", f"/events?token={good}")).status == 401
        assert (await Keyed(caller, good).get("/events", authorization=f"bearer  {good}")).status == 200
        for target in OPEN:
            assert (await caller.ask("GET", target)).status == 200


async def test_a_key_counts_from_when_it_is_made_until_it_is_revoked(tmp_path: Path) -> None:
    settings = in_file(tmp_path)
    app = program()
    async with serving(app, settings) as caller:
        assert (await caller.get("/events")).status == 200
        made = await keys.add(app.opened.store, Ports(), Asked(owner="us", scopes=["events:read"]), who="cli")
        while (await caller.get("/events")).status == 200:
            pass  # a server knows within a second
        assert (await Keyed(caller, made.token).get("/events")).status == 200
        await keys.revoke(app.opened.store, Ports(), made.key.id, who="cli")
        while (await Keyed(caller, made.token).get("/events")).status == 200:
            pass
        assert (await caller.get("/events")).problem == (401, "unauthenticated")


async def test_the_last_use_of_a_key_is_noted(tmp_path: Path) -> None:
    app, settings = program(), in_file(tmp_path)
    token = await token_of(settings)
    async with serving(app, settings, token=token) as caller:
        [unused] = await keys.listed(app.opened.store)
        await Keyed(caller, token).get("/events")
        [used] = await keys.listed(app.opened.store)
    assert unused.used is None
    assert used.used is not None
    assert used.used >= used.created


async def test_an_open_address_needs_a_key_that_opens_something(tmp_path: Path) -> None:
    elsewhere = Settings(database_url=in_file(tmp_path).database_url, host="0.0.0.0", port=0)
    for make in (False, True):
        if make:
            token = await token_of(elsewhere)
            async with App().open(elsewhere, consume=False) as opened:
                await keys.revoke(opened.store, Ports(), token.split("_")[1], who="cli")
        with pytest.raises(SettingError, match="no API keys"):
            await serve(program(), elsewhere, Ports())
    token = await token_of(elsewhere)
    async with serving(program(), elsewhere, token=token) as caller:
        caller.url = caller.url.replace("0.0.0.0", "127.0.0.1")
        assert (await Keyed(caller, token).get("/events", x_forwarded_for="10.0.0.1")).status == 200
        assert (await caller.get("/events")).problem == (401, "unauthenticated")


async def test_a_key_speaks_for_a_service_of_the_application_only_if_it_names_it(tmp_path: Path) -> None:
    async with keyed(tmp_path, "events:write", "events:read") as (owner, everywhere):
        for key in (owner, everywhere):
            structured = (
                '{"specversion":"1.0","id":"2","source":"/bookmarks","type":"tweet-bookmarked","data":' + DATA + "}"
            )
            for reply in (
                await key.ask("PUT", "/events/%2Fbookmarks/1", BOOKMARKED, DATA),
                await key.ask("POST", "/events", STRUCTURED, structured),
                await key.ask("POST", "/events", BATCH, f"[{structured.replace('/bookmarks', 'web')},{structured}]"),
            ):
                assert reply.problem == (403, "scope-missing")
                assert "--source /bookmarks" in reply.json["detail"]
            assert (await key.ask("PUT", "/events/bookmarks/1", BOOKMARKED, DATA)).status in (200, 201)
        assert [entry["event"]["source"] for entry in (await owner.get("/events")).json["entries"]] == ["bookmarks"]
    async with keyed(tmp_path, "events:write", sources=["/bookmarks"]) as (_, named):
        assert (await named.ask("PUT", "/events/%2Fbookmarks/1", BOOKMARKED, DATA)).status == 201


@pytest.mark.parametrize("source", ["/tidings/cli", "tidings", "/tidings"])
async def test_a_key_speaks_for_tidings_itself_only_if_it_names_it(tmp_path: Path, source: str) -> None:
    target = f"/events/{source.replace('/', '%2F')}/1"
    async with keyed(tmp_path, "events:write") as (owner, everywhere):
        for key in (owner, everywhere):
            reply = await key.ask("PUT", target, BOOKMARKED, DATA)
            assert reply.problem == (403, "scope-missing")
            assert "source of tidings itself" in reply.json["detail"]
        assert (await everywhere.ask("PUT", "/events/%2Ftidingsbox/1", BOOKMARKED, DATA)).status == 201
    async with keyed(tmp_path, "events:write", sources=[source]) as (_, named):
        assert (await named.ask("PUT", target, BOOKMARKED, DATA)).status == 201
