"""`tidings receivers` as a stranger uses it: beside a server that runs, in the words of its HTTP routes."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.place import SHOP, Place
from tests.acceptance.test_cli_completion import ASK, SHOWN, bash
from tests.acceptance.test_faces import Faces, shape
from tests.acceptance.webhooks import SECRET, delivery, signed

RECEIVER = f"""

from tidings.webhooks.receive.presets import PRESETS

till = app.receiver("till", PRESETS["stripe"], secrets=({SECRET!r},), source="/till")


@till.translate("order.paid")
def paid(item):
    about = item.payload["data"]["object"]
    return OrderPlaced(about["id"], about["amount"])
"""
CODE = {"TIDINGS_APP": "shop:app"}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    """Receipt 1 of the till became an event and came twice, 2 failed."""
    place = Place(tmp_path_factory.mktemp("shop"))
    (place.folder / "shop.py").write_text(SHOP + RECEIVER, "utf-8")
    with place.serving() as url:
        faces = Faces(place, url)
        for body in (delivery("evt_1"), delivery("evt_1"), delivery("evt_2", order=None)):  # type: ignore[arg-type]
            assert send(url, body) in (200, 202)
        yield faces


def send(url: str, body: bytes, to: str = "till") -> int:
    asked = urllib.request.Request(f"{url}/hooks/{to}", body, dict(signed(body)), method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def answered(faces: Faces, receiver: str, status: int) -> bool:
    """Send until the door answers so: a server looks every second which receivers there are."""
    return any(send(faces.url, delivery(f"evt_{n}"), to=receiver) == status for n in range(10_000))


def tidings(faces: Faces, *arguments: str, **how: Any) -> Any:
    return faces.place.tidings("receivers", *arguments, **{**CODE, **how})


def test_receivers_and_receipts_are_alike(faces: Faces) -> None:
    over_http = faces.http("/receivers")["receivers"]
    assert faces.cli("receivers", "list") == over_http
    assert faces.cli("receivers", "show", "till") == faces.http("/receivers/till") == over_http[0]
    receipts = faces.http("/receivers/till/receipts")["receipts"]
    assert [(each["receipt"], each["outcome"], each["seen"]) for each in receipts] == [
        (2, "failed", 1),
        (1, "stored", 2),
    ]
    assert faces.cli("receivers", "receipts", "till") == faces.cli("receivers", "receipts") == receipts
    assert faces.cli("receivers", "receipts", "till", "--outcome", "failed") == receipts[:1]
    assert faces.cli("receivers", "receipts", "--before", "2", "--from", receipts[1]["received"]) == receipts[1:]
    assert faces.cli("receivers", "receipts", "till", "--to", "2020-01-01T00:00:00Z") == []
    assert faces.cli("receivers", "receipt", "till", "1") == faces.http("/receivers/till/receipts/1")
    assert tidings(faces, "receipt", "till", "1", "--body").out.encode() == delivery("evt_1")


def test_a_replay_is_alike_and_says_what_became(faces: Faces) -> None:
    path = "/receivers/till/receipts/1/replay"
    over_http = faces.http(path, method="POST", idempotency_key='"again"')
    assert shape(faces.cli("receivers", "replay", "till", "1")) == shape(over_http)
    still = tidings(faces, "replay", "till", "2")
    assert (still.code, "it is still no events: " in still.out) == (1, True)


def test_a_receipt_that_is_not_there_is_told_with_what_there_is(faces: Faces) -> None:
    newest = faces.cli("receivers", "receipts", "till")[0]["receipt"]
    wrong = f"there is no receipt '9999' of till; its newest is {newest}\n"
    for act in ("replay", "receipt"):
        assert tidings(faces, act, "till", "9999").err == f"tidings: {wrong}"
        assert tidings(faces, act, "till", "9999", TIDINGS_APP="").err == f"tidings: {wrong}"
        assert "there is no receiver 'tyll'; there is" in tidings(faces, act, "tyll", "1").err
        assert "code declares" in tidings(faces, act, "tyll", "1", TIDINGS_APP="").err
    for name in ("abc", "0"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            faces.http(f"/receivers/till/receipts/{name}")
        with refused.value as answer:
            assert (answer.code, f"no receipt '{name}' of till" in json.loads(answer.read())["detail"]) == (404, True)


def test_all_that_came_since_a_time_is_counted_then_replayed(faces: Faces) -> None:
    since = ("--since", "2026-01-01T00:00:00Z")
    counted = faces.cli("receivers", "replay", "till", *since, "--dry-run")
    assert (counted["receipts"], counted["dry_run"], counted["run"]) == (2, True, None)
    assert "2 receipts would be replayed" in tidings(faces, "replay", "till", *since, "--dry-run").out
    done = tidings(faces, "replay", "till", *since, "--json")
    assert (done.code, done.json["receipts"], done.json["events"]) == (1, 1, 1)
    assert [each["receipt"] for each in done.json["left"]] == [2]
    again = tidings(faces, "replay", "till", *since, "--run", done.json["run"])
    assert (again.code, again.out) == (0, f"0 receipts became 0 events in the run {done.json['run']}\n")
    told = tidings(faces, "replay", "till", *since)
    assert (told.code, "2 is no events: " in told.out) == (1, True)
    for wrong in (("till",), ("till", "1", *since), ("till", "1", "--dry-run"), ("till", "--since", "noon")):
        assert tidings(faces, "replay", *wrong).code == 2


def test_people_see_what_came_and_what_it_became(faces: Faces) -> None:
    listed = tidings(faces, "list").out
    assert all(word in listed for word in ("till", "stripe", "/till", "active"))
    receipts = tidings(faces, "receipts", "till").out
    assert "order-placed evt_1" in receipts
    assert "failed" in receipts
    shown = tidings(faces, "receipt", "till", "1").out
    assert '"id": "evt_1"' in shown
    assert "stripe-signature: t=" in shown
    assert SECRET not in listed + receipts + shown


def test_without_the_application_its_receipts_are_there_and_its_receivers_are_said_to_be_in_the_code(
    faces: Faces,
) -> None:
    assert [each["receipt"] for each in tidings(faces, "receipts", "till", "--json", TIDINGS_APP="").json] == [2, 1]
    unknown = tidings(faces, "show", "till", TIDINGS_APP="")
    assert (unknown.code, "for one that code declares give --app" in unknown.err) == (2, True)
    assert "--app MODULE:ATTRIBUTE" in tidings(faces, "list", TIDINGS_APP="").out
    nobody = tidings(faces, "receipts", "bank")
    assert (nobody.code, nobody.err.count("\n")) == (2, 1)


def test_a_receiver_is_made_takes_webhooks_is_changed_and_retired(faces: Faces) -> None:
    members = ("--preset", "stripe", "--source", "/bank", "--secret", "-")
    made = tidings(faces, "add", "bank", *members, given=f"{SECRET}\n", TIDINGS_MASTER_KEY="")
    assert made.code == 0, made.err
    assert "/hooks/bank" in made.out
    assert SECRET not in made.out
    again = tidings(faces, "add", "bank", *members, given=f"{SECRET}\n")
    assert (again.code, again.err) == (
        1,
        "tidings: there is a receiver 'bank' already: change it, or choose another id\n",
    )
    changed = faces.cli("receivers", "change", "bank", "--expected-every", "60", "--set", "source=/vault")
    assert (changed["expected_every_s"], changed["source"], changed["secrets"]) == (60, "/vault", 1)
    assert faces.http("/receivers/bank") == changed
    assert answered(faces, "bank", 202)
    assert tidings(faces, "change", "bank").code == 2
    assert faces.cli("receivers", "retire", "bank")["state"] == "retired"
    assert answered(faces, "bank", 410)
    assert faces.cli("receivers", "change", "bank")["state"] == "active"
    declared = tidings(faces, "retire", "till")
    assert (declared.code, "is declared in shop, line " in declared.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "given", "told"),
    [
        (("--preset", "strip", "--source", "/x", "--secret", SECRET), None, "did you mean stripe?"),
        (("--preset", "stripe", "--source", "/x"), None, "needs"),
        (("--preset", "stripe", "--source", "/x", "--secret", "-"), "\n", "standard input has no line"),
        (("--preset", "paypal", "--source", "/x", "--setting", "webhook_id"), None, "write NAME=TEXT"),
        (("--preset", "stripe", "--source", "/x", "--set", "colour=1", "--secret", SECRET), None, "colour"),
    ],
)
def test_what_cannot_be_a_receiver_is_one_line(
    faces: Faces, arguments: tuple[str, ...], given: str | None, told: str
) -> None:
    ended = tidings(faces, "add", "shop", *arguments, given=given)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert told in ended.err
    assert SECRET not in ended.err


def test_a_request_is_tried_without_being_kept_from_a_body_a_pipe_or_as_it_came(faces: Faces) -> None:
    body = delivery("evt_3")
    (faces.place.folder / "body.json").write_bytes(body)
    tried = faces.cli("receivers", "try", "till", "body.json", "--sign")
    assert (tried["outcome"], tried["status"], tried["events"][0]["type"]) == ("stored", 202, "order-placed")
    refused = tidings(faces, "try", "till", "-", "-H", "stripe-signature: t=1700000000,v1=5f", given=body.decode())
    assert (refused.code, "too-old" in refused.out) == (1, True)
    then = tidings(
        faces,
        *("try", "till", "body.json", "-H", "stripe-signature: t=1700000000,v1=5f", "--json"),
        *("--at", "2023-11-14T22:13:20Z"),
    )
    assert then.json["reason"] == "no-matching-signature"
    head = "".join(f"{name}: {value}\r\n" for name, value in signed(body))
    (faces.place.folder / "whole.http").write_bytes(b"POST /hooks/till HTTP/1.1\r\n" + head.encode() + b"\r\n" + body)
    assert faces.cli("receivers", "try", "till", "whole.http")["outcome"] == "stored"
    both = tidings(faces, "try", "till", "whole.http", "-H", "a: b")
    assert (both.code, "holds a whole request" in both.err) == (2, True)
    missing = tidings(faces, "try", "till", "none.json")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    assert [each["receipt"] for each in faces.cli("receivers", "receipts", "till")] == [2, 1]


def test_headers_are_signed_for_whatever_sends(faces: Faces) -> None:
    body = delivery("evt_4", order=None)  # type: ignore[arg-type]
    (faces.place.folder / "body.json").write_bytes(body)
    printed = tidings(faces, "sign", "till", "body.json")
    headers = dict(line.split(": ", 1) for line in printed.out.splitlines())
    asked = urllib.request.Request(f"{faces.url}/hooks/till", body, headers, method="POST")
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert answer.status == 202
    as_json = tidings(faces, "sign", "till", "body.json", "--json").json
    assert [each["name"] for each in as_json] == [*headers]


def test_each_try_has_an_id_of_its_own_unless_it_is_told_one(faces: Faces) -> None:
    faces.cli("receivers", "add", "any", "--preset", "standard", "--source", "/any", "--secret", SECRET)
    (faces.place.folder / "any.json").write_text('{"type":"order.paid","data":{"id":"o-9"}}')

    def id_of(*options: str) -> str:
        said = faces.cli("receivers", "sign", "any", "any.json", *options)
        return str(next(each["value"] for each in said if each["name"] == "webhook-id"))

    assert id_of() != id_of()
    assert id_of("--id", "msg_1") == "msg_1"


def test_a_header_that_the_provider_sends_may_be_given(faces: Faces) -> None:
    faces.cli("receivers", "add", "mall", "--preset", "shopify", "--source", "/mall", "--secret", SECRET)
    (faces.place.folder / "mall.json").write_text('{"id":1}')
    refused = tidings(faces, "sign", "mall", "mall.json")
    assert (refused.code, "-H 'x-shopify-topic: …'" in refused.err) == (2, True)
    said = tidings(faces, "sign", "mall", "mall.json", "-H", "x-shopify-topic: orders/create").out
    assert "x-shopify-topic: orders/create\n" in said
    assert "x-shopify-webhook-id: " in said


def test_names_are_completed_without_the_application(faces: Faces) -> None:
    bash_, folder = SHOWN + ASK, faces.place.folder
    assert "till" in bash(folder, bash_, "tidings", "receivers", "show", "").split()
    assert bash(folder, bash_, "tidings", "receivers", "add", "x", "--preset", "pay").split() == ["paypal"]


def test_the_bodies_of_a_pipe_are_bytes(faces: Faces) -> None:
    command = [sys.executable, "-m", "tidings", "receivers", "receipt", "till", "2", "--body"]
    ended = subprocess.run(
        command, cwd=faces.place.folder, env=faces.place.environment(), capture_output=True, check=True
    )
    assert json.loads(ended.stdout)["id"] == "evt_2"
