"""What strangers send and what they may not get: the list of security tests, as far as it concerns the HTTP API."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
import random
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path
from string import ascii_letters
from typing import Any
from urllib.parse import quote

import pytest

import tidings.api
from tests.acceptance.http_server import BOOKMARKED, JSON, STRUCTURED, in_file, program, raw, serving
from tests.acceptance.test_http_access import Keyed, token_of
from tests.unit.api.scopes import ask
from tests.unit.api.shop import open_shop, shop
from tidings import Settings
from tidings.api.application import application
from tidings.operations import keys
from tidings.operations.keys import Asked
from tidings.ports import Ports

DATA = {"tweet_id": "20", "user_id": "jack"}
BOMB = (
    b"PUT /events/web/1 HTTP/1.1\r\nhost: localhost\r\nce-type: tweet-bookmarked\r\ncontent-type: application/json\r\n"
)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd", b"identity, gzip"])
async def test_gzip_bomb_is_415_and_costs_under_10_ms(tmp_path: Path, coding: bytes) -> None:
    """It costs nothing: not a byte of the body has come when it is refused."""
    async with serving(program(), in_file(tmp_path)) as caller:
        head = BOMB + b"content-encoding: " + coding + b"\r\ncontent-length: 900000\r\nconnection: close\r\n\r\n"
        assert (await raw(caller, head)).startswith(b"HTTP/1.1 415 ")
        plain = {**BOOKMARKED, "content-encoding": "identity"}
        assert (await caller.put("/events/web/1", plain, json.dumps(DATA))).status == 201


async def test_multipart_is_415_and_parser_never_imported(tmp_path: Path) -> None:
    async with serving(program(), in_file(tmp_path)) as caller:
        for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain"):
            for method, target in (("PUT", "/events/web/1"), ("POST", "/events")):
                binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "web", **BOOKMARKED, "content-type": kind}
                reply = await caller.ask(method, target, binary, "--x--")
                assert reply.problem == (415, "unsupported-media-type")
        assert (await caller.put("/events/web/1", BOOKMARKED, json.dumps(DATA))).status == 201
    # Starlette looks for a parser of forms when it is imported; without any, everything is as before.
    script = "import sys; sys.modules |= {'multipart': None, 'python_multipart': None}; import tidings.api.serve"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")
    api = Path(tidings.api.__file__).parent
    assert [path for path in api.rglob("*.py") if re.search(r"formparsers|\.form\(", path.read_text("utf-8"))] == []


async def test_million_addresses_use_constant_memory() -> None:
    """Without a rate nothing is kept for an address, so that thousands tell as much as a million."""
    async with open_shop() as opened:
        made = await keys.add(opened.opened.store, Ports(), Asked(owner="us", scopes=["events:read"]), who="cli")
        opened = type(opened)(opened.opened, await application(opened.opened))

        async def from_addresses(first: int, count: int, headers: dict[str, str]) -> set[int]:
            found = set()
            for n in range(first, first + count):
                client = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", 1)
                found.add((await ask(opened.http, "GET", "/events", headers, client=client)).status)
            return found

        key = {"authorization": f"Bearer {made.token}"}
        for headers, status in (({}, 401), (key, 200)):
            await from_addresses(0, 300, headers)
            gc.collect()
            tracemalloc.start()
            try:
                assert await from_addresses(1_000, 1_500, headers) == {status}
                gc.collect()
                assert tracemalloc.get_traced_memory()[0] < 50_000
            finally:
                tracemalloc.stop()


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.suffix != ".db-shm"
    }


async def test_unauthenticated_request_writes_no_row(tmp_path: Path) -> None:
    settings = in_file(tmp_path)
    token = await token_of(settings)
    async with shop().open(settings, consume=False) as opened:
        http = await application(opened)
        key = {"authorization": f"Bearer {token}"}
        assert (await ask(http, "GET", "/views", key)).status == 200  # notes that the key is used
        before = bytes_of(tmp_path)
        body = b'{"order_id":"1","customer":"ann","amount":1}'
        placed = {"ce-type": "order-placed", **JSON}
        for headers in ({}, {"authorization": "Bearer td_a_b"}, {"authorization": f"Bearer {token}x"}):
            for method, target in [
                ("PUT", "/events/web/1"),
                ("POST", "/events"),
                ("POST", "/dead-letters/redrive"),
                ("POST", "/consumers/watch/pause"),
                ("GET", "/events"),
            ]:
                reply = await ask(http, method, target, {**placed, "idempotency-key": "k", **headers}, body)
                assert reply.status == 401
        assert bytes_of(tmp_path) == before
        assert (await ask(http, "PUT", "/events/web/1", {**placed, **key}, body)).status == 201
        assert bytes_of(tmp_path) != before


HOSTILE = [
    "'; DROP TABLE bookmarks_bookmark; --",
    '"quoted"',
    "100%",
    "%00%2F..%2F",
    "../../etc/passwd",
    "\u202eright to left\u202c",
    "שלום",
    "\u0007bell\x1b[31m",
    "x" * 1_999,
    " ",
    "\U0001f600",
]
NUL = "a\x00b"
LONGEST = "".join(random.Random(1).choices("\U0001f600\U0001f601\U0001f602\U0001f603", k=499)) + "xx"
TOO_LONG = ["".join(random.Random(2).choices(ascii_letters, k=size)) for size in (2_000, 3_000, 65_536)]


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "file"])
async def test_hostile_keys_round_trip_on_every_back_end(tmp_path: Path, url: str) -> None:
    await round_trip(in_file(tmp_path) if url == "file" else Settings(database_url=url, port=0))


async def test_hostile_keys_round_trip_on_every_back_end_with_postgresql(bare_postgres_url: str) -> None:
    await round_trip(Settings(database_url=bare_postgres_url, port=0))


async def round_trip(settings: Settings) -> None:
    async with serving(program(), settings) as caller:
        texts = [*HOSTILE, LONGEST]
        for n, text in enumerate([*texts, *TOO_LONG, NUL]):
            body = json.dumps({"tweet_id": str(n), "user_id": text})
            token = (await caller.put(f"/events/web/{n}", BOOKMARKED, body)).position
            assert (await caller.get(f"/events/web/{n}")).json["data"]["user_id"] == text
        waited = {"tidings_min_position": token, "prefer": "wait=20"}
        rows = (await caller.get("/views/bookmarks/bookmark?limit=100", **waited)).json["rows"]
        assert sorted(row["user_id"] for row in rows) == sorted(texts)
        for n, text in enumerate(texts):
            row = await caller.get(f"/views/bookmarks/bookmark/{quote(text, safe='')}/{n}")
            assert (row.status, row.json["row"]["user_id"]) == (200, text)
            found = (await caller.get(f"/views/bookmarks/bookmark?user_id={quote(text, safe='')}")).json["rows"]
            assert [each["tweet_id"] for each in found] == [str(n)]
        letters = (await caller.get("/dead-letters")).json["dead_letters"]  # the log keeps them, and no view can
        assert {(each["state"], each["reason"]) for each in letters} == {("dead", "undecodable")}
        errors = "\n".join(each["error"] for each in letters)
        assert [len(letters), errors.count("U+0000")] == [len(TOO_LONG) + 1, 1]
        for text in TOO_LONG:
            assert f"(user_id {len(text):,}, tweet_id 2), and every back end finds rows by at most 2,000" in errors


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()])
async def test_hostile_ids_round_trip_and_those_with_controls_are_refused(tmp_path: Path, text: str) -> None:
    async with serving(program(), in_file(tmp_path)) as caller:
        target = f"/events/web/{quote(text[:256], safe='')}"
        assert (await caller.put(target, BOOKMARKED, json.dumps(DATA))).status == 201
        assert (await caller.get(target)).json["id"] == text[:256]
        for control in ("a%00b", "a%1Bb", "a%C2%9Bb"):
            reply = await caller.put(f"/events/web/{control}", BOOKMARKED, json.dumps(DATA))
            assert reply.problem == (422, "invalid-envelope")


async def test_canary_secret_appears_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = in_file(tmp_path)
    token = await token_of(settings)
    secret = token.split("_", 2)[2]
    outputs: list[Any] = []
    app = program()
    async with serving(app, settings, token=token) as caller:
        everywhere = Keyed(caller, token)
        await everywhere.ask("PUT", "/events/web/1", BOOKMARKED, json.dumps(DATA))
        keyed = {**STRUCTURED, "idempotency-key": "k"}
        event = json.dumps({"specversion": "1.0", "source": "web", "type": "tweet-bookmarked", "data": DATA})
        outputs += [await everywhere.ask("POST", "/events", keyed, event) for _ in range(2)]
        for target in ("/events", "/openapi.json", "/metrics", "/consumers", "/nix", "/events?x=1"):
            outputs.append(await everywhere.get(target))
        outputs.append(await everywhere.get("/events", authorization=f"Bearer {token}x"))
        outputs.append(repr(await keys.listed(app.opened.store)))
        outputs.append(
            repr(await keys.add(app.opened.store, Ports(), Asked(owner="us", scopes=["events:read"]), who="cli"))
        )
    outputs.append(caplog.text)
    assert not [output for output in outputs if secret in repr(output)]
    assert not [file for file in tmp_path.iterdir() if secret.encode() in file.read_bytes()]
    assert "td_" not in outputs[-2]


async def test_a_slow_body_is_given_up_and_one_that_comes_is_taken(tmp_path: Path) -> None:
    async with serving(program(), in_file(tmp_path)) as caller:

        async def slowly() -> Any:
            for piece in (b'{"tweet_id":', b'"20","user_id"', b':"jack"}'):
                yield piece
                await asyncio.sleep(0)

        assert (await caller.put("/events/web/1", BOOKMARKED, slowly())).status == 201
