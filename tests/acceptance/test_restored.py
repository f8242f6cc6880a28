"""A log that was restored from an older copy goes on as another, on every back end."""

from __future__ import annotations

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
    said = place.tidings("log", "restored", "--json")
    assert said.code == 0, said
    assert said.json["after"] >= APART
    with place.serving() as url:
        assert status_of(url, before) == 400
        after = put(url, "2")
        assert after.startswith(f"{said.json['incarnation']}-")
        assert int(after.rpartition("-")[2]) > said.json["after"]
        assert put(url, "1").endswith(f"-{before.rpartition('-')[2]}"), "what is kept stays where it is"
        consumers = place.eventually("consumers", "--app", "shop:app", until=settled)
        assert all(each["lag_entries"] == 0 for each in consumers)
        entries = place.tidings("log", "tail", "--type", "order-placed", "--json").json
        assert [entry["event"]["id"] for entry in entries] == ["1", "2"]
    verified = place.tidings("views", "verify", "--app", "shop:app", "--json")
    assert verified.code == 0, verified
