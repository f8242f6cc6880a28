"""An endpoint that is told an old version while a newer one is published, over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.acceptance.http_server import Caller, in_file, serving
from tests.acceptance.test_http_endpoints import MASTER, Partner, ask, partner
from tests.unit.app import bookmarking as at
from tests.unit.versions.bookmarks import THREE, TYPE, third
from tidings import App, Service

__all__ = ["partner"]


async def publish(caller: Caller, id: str) -> None:
    headers = {"ce-type": TYPE, "ce-dataversion": "3", "content-type": "application/json"}
    reply = await caller.ask("PUT", f"/events/web/{id}", headers, THREE.decode())
    assert reply.status == 201, reply.body


async def test_an_endpoint_gets_the_version_it_is_pinned_to_while_a_newer_one_is_published(
    tmp_path: Path, partner: tuple[Partner, str]
) -> None:
    receiver, url = partner
    settings = replace(in_file(tmp_path), delivery_http="on", delivery_subnets="127.0.0.0/8", master_key=MASTER)
    async with serving(App(Service("lists", emits=[third()])), settings) as caller:
        for id, pin in (("old", {TYPE: 1}), ("new", {})):
            reply = await ask(caller, "PUT", f"/endpoints/{id}", {"url": f"{url}?{id}", "pin": pin})
            assert (reply.status, reply.json["pin"]) == (201, pin)
        await publish(caller, "b-1")
        bodies = [json.loads(body) for _, body in await receiver.has(2)]
        by_version = {each["dataversion"]: each for each in bodies}
        assert by_version[1]["data"] == {"tweet_id": "20", "user_id": "jack"}
        assert by_version[3]["data"] == json.loads(THREE)
        assert {each["id"] for each in bodies} == {"b-1"}
        stored = await caller.get("/events/web/b-1")
        assert (stored.json["dataversion"], stored.json["data"]) == (3, json.loads(THREE))


async def test_an_endpoint_that_nothing_leads_to_is_told_why_and_spends_no_attempt(
    tmp_path: Path, partner: tuple[Partner, str]
) -> None:
    receiver, url = partner
    settings = replace(in_file(tmp_path), delivery_http="on", delivery_subnets="127.0.0.0/8", master_key=MASTER)
    async with serving(App(Service("lists", emits=[third(steps=False)])), settings) as caller:
        await ask(caller, "PUT", "/endpoints/old", {"url": url, "pin": {TYPE: 1}})
        await publish(caller, "b-1")
        while True:
            listed = (await caller.get("/deliveries?endpoint=old")).json["deliveries"]
            if listed and listed[0]["state"] == "held":
                break
        assert (listed[0]["reason"], listed[0]["attempts"]) == ("version-unreadable", 0)
        assert "no steps lead from tweet-bookmarked version 3 to 1" in listed[0]["error"]
        assert receiver.got == []


async def test_an_endpoint_is_pinned_to_what_somebody_has_declared(tmp_path: Path) -> None:
    async with serving(at.bookmarks(at.second()), in_file(tmp_path)) as caller:
        wanted = {"url": "https://partner.example/"}
        refused = await ask(caller, "PUT", "/endpoints/e", {**wanted, "pin": {TYPE: 9, "nope": 1}})
        assert refused.problem == (422, "invalid-configuration")
        told = {each["pointer"]: each["detail"] for each in refused.json["errors"]}
        assert told == {
            f"/pin/{TYPE}": f"there is no version '9' of {TYPE}; there is 2",
            "/pin/nope": f"there is no event type 'nope'; there is {TYPE}",
        }
        assert (await ask(caller, "PUT", "/endpoints/e", {**wanted, "pin": {TYPE: 2}})).status == 201
        assert (await ask(caller, "PATCH", "/endpoints/e", {"pin": {TYPE: 3}}, if_match="*")).status == 422
        assert (await ask(caller, "PATCH", "/endpoints/e", {"pin": {TYPE: 2}}, if_match="*")).status == 200


async def test_an_endpoint_is_told_the_schema_of_the_version_it_is_pinned_to(
    tmp_path: Path, partner: tuple[Partner, str]
) -> None:
    receiver, url = partner
    settings = replace(in_file(tmp_path), delivery_http="on", delivery_subnets="127.0.0.0/8", master_key=MASTER)
    async with at.bookmarks(at.second()).open(settings):
        """Makes version 2 known."""
    async with serving(at.bookmarks(at.third()), replace(settings, public_url="https://x.example")) as caller:
        await ask(caller, "PUT", "/endpoints/old", {"url": url, "pin": {TYPE: 2}})
        await publish(caller, "b-1")
        [(_, body)] = await receiver.has(1)
        assert json.loads(body)["dataversion"] == 2
        assert json.loads(body)["dataschema"] == f"https://x.example/schemas/{TYPE}/2"
