"""A log that was restored from an older copy goes on as another, on every back end."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.place import Place
from tests.acceptance.test_postgres import OnPostgres, settled
from tidings.log.lives import APART


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(tmp_path)
    return OnPostgres(tmp_path, request.getfixturevalue("bare_postgres_url"))


def status_of(url: str, token: str) -> int:
    asked = urllib.request.Request(f"{url}/views/orders/order", headers={"tidings-min-position": token})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def put(url: str, order: str) -> str:
    """Place an order; return the token of its position."""
    headers = {"ce-type": "order-placed", "content-type": "application/json"}
    body = f'{{"order_id": "{order}", "total": 1}}'.encode()
    request = urllib.request.Request(f"{url}/events/web/{order}", body, headers, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        token: str = answer.headers["tidings-position"]
        return token


def test_no_position_is_given_out_twice_and_tokens_from_before_are_refused(place: Place) -> None:
    with place.serving() as url:
        before = put(url, "1")
        place.eventually("consumers", "--app", "shop:app", until=settled)
        assert status_of(url, before) == 200
    said = place.tidings("log", "restored", "--yes", "--json")
    assert said.code == 0, said
    assert said.json["after"] >= APART
    with place.serving() as url:
        assert status_of(url, before) == 400
        after = put(url, "2")
        assert after.startswith(f"{said.json['incarnation']}-")
        assert int(after.rpartition("-")[2]) > said.json["after"]
        assert put(url, "1").endswith(f"-{before.rpartition('-')[2]}"), "what is kept stays where it is"
        consumers = place.eventually("consumers", "--app", "shop:app", until=settled)
        assert all(each["lag"]["entries"] == 0 for each in consumers)
        entries = place.tidings("log", "tail", "--type", "order-placed", "--json").json
        assert [entry["event"]["id"] for entry in entries] == ["1", "2"]
    verified = place.tidings("views", "verify", "--app", "shop:app", "--json")
    assert verified.code == 0, verified


def test_it_says_what_it_will_do_and_does_it_only_if_told_to(place: Place) -> None:
    assert place.emit("1", 10).code == 0
    asked = place.tidings("log", "restored", given="n\n")
    assert (asked.code, asked.out) == (1, "")
    assert "every position token from before is refused" in asked.err
    assert f"behind {1 + APART}," in asked.err
    nobody = place.tidings("log", "restored", "--json", given="")
    assert (nobody.code, nobody.out) == (2, "")
    assert "give --yes" in nobody.err
    done = place.tidings("log", "restored", "--json", given="y\n")
    assert (done.code, done.json["after"]) == (0, 1 + APART), "what was refused has changed nothing"
    assert done.json["before"] in asked.err
    again = place.tidings("log", "restored", "--yes")
    assert (again.code, again.err) == (0, "")
    assert f"goes on behind position {1 + 2 * APART}" in again.out


def test_it_is_refused_while_a_server_runs_even_one_that_stands_still(place: Place) -> None:
    process = place.begin("run", "shop:app", "--port", "0", "--json")
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    try:
        refused = place.tidings("log", "restored", "--yes", "--json")
        process.send_signal(signal.SIGSTOP)
        still = place.tidings("log", "restored", "--yes", "--json")
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    for each in (refused, still):
        assert (each.code, each.out) == (1, ""), each
        assert "stop all servers" in each.err
    assert place.tidings("log", "restored", "--yes", "--json").json["after"] == APART


def test_a_server_that_was_killed_is_in_nobodys_way(place: Place) -> None:
    process = place.begin("run", "shop:app", "--port", "0", "--json")
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    process.kill()
    process.communicate(timeout=60)
    assert place.tidings("log", "restored", "--yes").code == 0


def test_the_audit_has_who_began_another_life_and_which_one_it_was(place: Place) -> None:
    assert place.emit("1", 10).code == 0
    done = place.tidings("log", "restored", "--yes", "--json").json
    with place.serving() as url, urllib.request.urlopen(f"{url}/console/dead", timeout=30) as page:
        shown = page.read().decode()
    for said in (">cli<", ">restored<", done["incarnation"], f"was {done['before']}", f"{done['after']:,}"):
        assert said in shown, said


def test_it_is_refused_while_a_command_looks_that_holds_no_lease(place: Place) -> None:
    assert place.emit("1", 10).code == 0
    process = place.begin("log", "tail", "--follow", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["position"].endswith("-1")
    refused = place.tidings("log", "restored", "--yes", "--json")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert (refused.code, refused.out) == (1, ""), refused
    assert place.tidings("log", "restored", "--yes").code == 0


def test_through_a_pooler_servers_are_seen_by_their_leases(tmp_path: Path, pooled_postgres_url: str) -> None:
    place = OnPostgres(tmp_path, pooled_postgres_url)
    with place.serving():
        refused = place.tidings("log", "restored", "--yes", "--json")
    assert (refused.code, refused.out) == (1, ""), refused
    assert "leases in postgresql://127.0.0.1" in refused.err
    assert place.tidings("log", "restored", "--yes").code == 0
