"""What a trial says of a request is what the door answers that gets it, and a trial leaves nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.http_server import Caller, in_file, serving
from tests.acceptance.webhooks import STRIPE, Till, delivery, signed
from tidings.app.receiving import receivers_of, trying_of
from tidings.errors import CallerError
from tidings.operations.receiver_reasons import REASONS
from tidings.operations.receiver_trial import Request, Trial
from tidings.operations.receiver_trial import signed as signed_request
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.receive.preset import Handshake
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.read import read

FIRST = delivery("evt_1")
TYPE = ("content-type", "application/json")


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
async def caller(till: Till, tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(till.app, in_file(tmp_path)) as caller:
        yield caller


async def trial(till: Till, headers: list[tuple[str, str]], body: bytes, method: str = "POST") -> Trial:
    opened = till.app.opened
    pairs = tuple((name.encode(), value.encode()) for name, value in headers)
    request = Request(method=method, headers=pairs, body=body)
    return await trying_of(opened).look(till.receiver, request, at=opened.ports.clock.now_us())


Case = tuple[list[tuple[str, str]], bytes, str, str | None]


def cases() -> dict[str, Case]:
    """Return requests: headers, body, what they become, and the reason."""
    old, new = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    good, other = signed(FIRST), delivery("evt_1", amount=6)
    return {
        "new": (signed(delivery("evt_2")), delivery("evt_2"), "stored", None),
        "again": (good, FIRST, "duplicate", None),
        "other content": (signed(other), other, "conflict", None),
        "unsigned": ([TYPE], FIRST, "refused", "missing-header"),
        "signed twice": ([*good, good[1]], FIRST, "refused", "repeated-header"),
        "garbage": ([TYPE, ("stripe-signature", "t=1,v1")], FIRST, "refused", "malformed-header"),
        "old": (signed(FIRST, at=old), FIRST, "refused", "too-old"),
        "of the future": (signed(FIRST, at=new), FIRST, "refused", "too-new"),
        "another secret": (signed(FIRST, secret="whsec_" + "a" * 32), FIRST, "refused", "no-matching-signature"),
        "other bytes": (good, FIRST + b" ", "refused", "no-matching-signature"),
        "no type": (good[1:], FIRST, "refused", "unsupported-media-type"),
        "a form": ([("content-type", "text/plain"), good[1]], FIRST, "refused", "unsupported-media-type"),
        "compressed": ([*good, ("content-encoding", "gzip")], FIRST, "refused", "unsupported-media-type"),
        "no json": (signed(b"{"), b"{", "failed", None),
        "an event that the log has": (signed(delivery("evt_9")), delivery("evt_9"), "conflict", None),
        "too large": (signed(b"1" * 1_048_577), b"1" * 1_048_577, "refused", "body-too-large"),
    }


@pytest.mark.parametrize("case", cases())
async def test_a_trial_says_what_the_door_answers_and_keeps_nothing(till: Till, caller: Caller, case: str) -> None:
    headers, body, outcome, reason = cases()[case]
    given = {"ce-type": "order-paid", "content-type": "application/json"}
    assert (await caller.put("/events/%2Ftill/evt_9", given, '{"order":"o-9","amount":1}')).status == 201
    assert (await caller.ask("POST", "/hooks/till", signed(FIRST), FIRST)).status == 202
    before = await till.app.opened.log.head(), await till.app.opened.store.receipts()
    tried = await trial(till, headers, body)
    assert (tried.outcome, tried.reason) == (outcome, reason)
    assert (await till.app.opened.log.head(), await till.app.opened.store.receipts()) == before
    reply = await caller.ask("POST", "/hooks/till", headers, body)
    assert reply.status == tried.status
    assert (await till.app.opened.log.head()).position - before[0].position == tried.new
    if outcome != "refused":
        [kept] = await till.app.opened.store.receipts(limit=1)
        assert kept.outcome == ("stored" if outcome == "duplicate" else outcome)
    assert (await caller.ask("GET", "/hooks/till")).status == (await trial(till, [], b"", "GET")).status == 405


async def test_what_it_says_are_the_events_and_who_signed_it(till: Till, caller: Caller) -> None:
    tried = await trial(till, signed(FIRST), FIRST)
    [event] = tried.events
    assert (event.type, event.id, event.source, event.subject) == ("order-paid", "evt_1", "/till", "o-1")
    assert (tried.scheme, tried.key, tried.new, tried.repeats) == (1, "1", 1, None)
    till.broken = True
    tried = await trial(till, signed(FIRST), FIRST)
    assert (tried.outcome, tried.error, tried.events) == ("failed", "Broken: a mistake of ours", ())
    await caller.ask("POST", "/hooks/till", signed(FIRST), FIRST)
    tried = await trial(till, signed(FIRST), FIRST)
    assert (tried.outcome, tried.repeats) == ("failed", 1)
    till.broken = False
    tried = await trial(till, signed(FIRST), FIRST)
    assert (tried.outcome, tried.new) == ("stored", 1)  # a repeat finishes what failed


async def test_bytes_that_a_tool_has_changed_are_recognised(till: Till, caller: Caller) -> None:
    for file, signed_as, hint in (
        (FIRST + b"\n", FIRST, "without the newline at its end"),
        (FIRST + b"\r\n", FIRST, "without the line end at its end"),
        (FIRST, FIRST + b"\n", "with a newline at its end"),
    ):
        tried = await trial(till, signed(signed_as), file)
        assert tried.reason == "no-matching-signature"
        assert hint in (tried.error or "")
    assert "fits" not in ((await trial(till, signed(FIRST), FIRST + b"  ")).error or "")


async def test_a_request_is_signed_as_its_sender_would(till: Till, caller: Caller) -> None:
    now = till.app.opened.ports.clock.now_us()
    request = Request(headers=((b"content-type", b"application/json"),), body=FIRST)
    done = signed_request(till.receiver, request, id="x", at=now)
    tried = await trying_of(till.app.opened).look(till.receiver, done, at=now)
    assert (tried.outcome, tried.signed) == ("stored", now - now % 1_000_000)


def github(body: bytes, *headers: tuple[bytes, bytes], id: str = "d-1") -> dict[bytes, bytes]:
    """Return the headers with which GitHub sends this body."""
    receiver = Receiver("hub", PRESETS["github"], secrets=["s3cret-" * 5], source="/hub")
    request = Request(headers=((b"content-type", b"application/json"), *headers), body=body)
    return dict(signed_request(receiver, request, id=id, at=1_700_000_000_000_000).headers)


@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b'{"zen":"Keep it logically awesome."}', b"ping"),
        (b'{"ref":"refs/heads/main","before":"0","after":"1"}', b"push"),
        (b'{"action":"opened","issue":{}}', b"issues"),
        (b'{"action":"created","issue":{},"comment":{}}', b"issue_comment"),
    ],
)
def test_what_a_header_says_beside_the_signature_is_there_too(body: bytes, type: bytes) -> None:
    headers = github(body)
    assert (headers[b"x-github-event"], headers[b"x-github-delivery"]) == (type, b"d-1")
    [item] = read(PRESETS["github"], tuple(headers.items()), body)
    assert item.type.startswith(f"github.{type.decode().replace('_', '-')}")


def test_what_the_request_says_itself_is_not_said_again() -> None:
    headers = github(b"{}", (b"X-GitHub-Event", b"fork"), (b"X-GitHub-Delivery", b"own"))
    assert (headers[b"X-GitHub-Event"], headers[b"X-GitHub-Delivery"]) == (b"fork", b"own")
    assert b"x-github-event" not in headers
    assert b"x-github-delivery" not in headers


def test_a_signature_is_made_anew_and_stands_there_once() -> None:
    body = b'{"zen":""}'
    receiver = Receiver("hub", PRESETS["github"], secrets=["s3cret-" * 5], source="/hub")
    given = Request(headers=((b"X-Hub-Signature-256", b"sha256=00"),), body=body)
    done = signed_request(receiver, given, id="d-1", at=0)
    [found] = [value for name, value in done.headers if name.lower() == b"x-hub-signature-256"]
    assert found != b"sha256=00"
    for id in ("a\r\nX-Evil: 1", "\u00e4 b", " a", "a b", ""):
        with pytest.raises(CallerError, match="the id of a webhook is visible ASCII"):
            signed_request(receiver, given, id=id, at=0)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no json"])
def test_a_type_that_the_body_does_not_tell_is_asked_for(body: bytes) -> None:
    with pytest.raises(CallerError, match="-H 'x-github-event: …'"):
        github(body)


async def test_a_handshake_is_told_from_a_delivery(tmp_path: Path) -> None:
    from dataclasses import replace

    graph = replace(STRIPE, handshake=Handshake(kind="graph"))
    till = Till(preset=graph)
    async with serving(till.app, in_file(tmp_path)) as caller:
        asked = Request(query=b"validationToken=abc")
        tried = await trying_of(till.app.opened).look(till.receiver, asked, at=0)
        reply = await caller.ask("POST", "/hooks/till?validationToken=abc")
        assert (tried.outcome, tried.status) == ("handshake", reply.status)


async def test_every_reason_has_a_sentence_and_is_counted(till: Till, caller: Caller) -> None:
    from typing import get_args

    from tidings.webhooks.receive.verdict import Reason

    assert set(REASONS) == set(get_args(Reason))
    for _ in range(2):
        await caller.ask("POST", "/hooks/till", [TYPE], FIRST)
    await caller.ask("POST", "/hooks/till", signed(FIRST), FIRST + b" ")
    assert till.app.opened.telemetry.rejections("till") == {"missing-header": 2, "no-matching-signature": 1}
    text = (await caller.get("/metrics")).body.decode()
    assert 'tidings_receive_rejected_total{reason="missing-header",receiver="till"} 2.0' in text
    assert 'tidings_receive_total{outcome="rejected",receiver="till"} 3.0' in text


async def test_a_change_leaves_what_it_does_not_say(till: Till, caller: Caller) -> None:
    acts = receivers_of(till.app.opened)
    await acts.put("bank", {"preset": "stripe", "source": "/bank", "secrets": ["whsec_" + "b" * 32]})
    changed = await acts.change("bank", {"expected_every_s": 60})
    assert (changed.source, changed.secrets, changed.every, changed.version) == ("/bank", 1, 60_000_000, 2)
    again = await acts.change("bank", {"source": "/vault", "expected_every_s": None})
    assert (again.source, again.every, again.preset) == ("/vault", None, "stripe")
