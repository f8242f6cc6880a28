"""What receivers that have not moved yet verify, by the packages that they may verify it with."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import sha256
from typing import Any

import pytest
import standardwebhooks
import stripe
import svix.webhooks
from gidgethub import sansio

from tests.unit.webhooks.deliver.desk import Desk, always, desk, sink
from tidings.errors import InvalidConfigurationError
from tidings.events.envelope import Entry, Envelope
from tidings.ports import utc
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.configured import endpoint_of
from tidings.webhooks.deliver.endpoint import Endpoint
from tidings.webhooks.deliver.legacy import SCHEMES
from tidings.webhooks.deliver.rendering import Attempt, Request, content_of, request_of
from tidings.webhooks.deliver.secrets import Secret
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.verdict import Accepted, RequestFacts
from tidings.webhooks.receive.verify import verify

OLD = "It's an old secret"
SVIX = "whsec_" + base64.b64encode(bytes(range(24))).decode()
NEW = Secret("hmac", bytes(range(32)))
URL = "https://example.com/hooks"
ENTRY = Entry(
    position=1,
    recorded=1,
    envelope=Envelope(id="1", source="/s", type="t", data=b'{"a": 1.10}'),
)
Accepts = Callable[[bytes, Mapping[str, str]], object]


def made(legacy: Any, **members: Any) -> Endpoint:
    return endpoint_of({"url": URL, "legacy": legacy, **members}, id="ep_1", health=health.new(0))


def sent(endpoint: Endpoint, *, at: int | None = None, secrets: tuple[Secret, ...] = (NEW,)) -> Request:
    now = time.time_ns() // 1_000 if at is None else at
    attempt = Attempt(id="msg_1", number=1, at=now)
    return request_of(endpoint, content_of(ENTRY, endpoint.format), attempt, secrets, release="0.1.0")


def _stripe_accepts(body: bytes, headers: Mapping[str, str]) -> object:
    return stripe.WebhookSignature.verify_header(body.decode("latin-1"), headers["X-Shop-Signature"], OLD, 300)


def _github_accepts(body: bytes, headers: Mapping[str, str]) -> object:
    return sansio.validate_event(body, signature=headers["x-hub-signature-256"], secret=OLD)


def _svix_accepts(body: bytes, headers: Mapping[str, str]) -> object:
    return svix.webhooks.Webhook(SVIX).verify(body, dict(headers))


EACH = pytest.mark.parametrize(
    ("legacy", "accepts", "header"),
    [
        ({"preset": "stripe", "header": "X-Shop-Signature", "secret": OLD}, _stripe_accepts, "X-Shop-Signature"),
        ({"preset": "github", "secret": OLD}, _github_accepts, "x-hub-signature-256"),
        ({"preset": "svix", "secret": SVIX}, _svix_accepts, "svix-signature"),
    ],
    ids=["stripe", "gidgethub", "svix"],
)


@EACH
def test_a_receiver_that_has_not_moved_accepts_and_so_does_one_that_has(
    legacy: Any, accepts: Accepts, header: str
) -> None:
    for format in ("cloudevents", "cloudevents-binary", "standard"):
        request = sent(made(legacy, format=format))
        headers = dict(request.headers)
        assert len(headers) == len(request.headers)
        accepts(request.body, headers)
        assert header in headers
        assert standardwebhooks.Webhook(NEW.text).verify(request.body, headers)


@EACH
def test_one_flipped_bit_is_refused(legacy: Any, accepts: Accepts, header: str) -> None:
    request = sent(made(legacy))
    headers, body = dict(request.headers), request.body
    for place in range(len(body)):
        with pytest.raises(Exception):  # noqa: B017  each package has errors of its own
            accepts(bytes([*body[:place], body[place] ^ 1, *body[place + 1 :]]), headers)
    value = headers[header]
    last = len(value) - 2  # of base64 the very last bits may say nothing
    for place in range(value.index("v1" if "v1" in value else "="), last):
        with pytest.raises(Exception):  # noqa: B017
            accepts(body, {**headers, header: value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]})


def test_a_secret_that_happens_to_begin_as_a_private_key_is_the_text_that_it_is() -> None:
    for secret in ("whsk_c2VjcmV0c2VjcmV0", "whsk_old-secret"):
        request = sent(made({"preset": "github", "secret": secret}))
        expected = hmac.digest(secret.encode(), request.body, "sha256").hex()
        assert dict(request.headers)["x-hub-signature-256"] == f"sha256={expected}"


def test_the_url_that_is_signed_is_the_one_that_is_sent() -> None:
    request = sent(made({"preset": "square", "secret": OLD}, url="https://EXAMPLE.com:443/b?x=1&y=%41"))
    assert request.url == "https://example.com/b?x=1&y=A"
    expected = base64.b64encode(hmac.digest(OLD.encode(), request.url.encode() + request.body, "sha256")).decode()
    assert dict(request.headers)["x-square-hmacsha256-signature"] == expected


def test_a_time_is_that_of_the_attempt() -> None:
    endpoint = made({"preset": "stripe", "header": "X-Shop-Signature", "secret": OLD})
    first, second = (dict(sent(endpoint, at=at * 1_000_000).headers) for at in (1_700_000_000, 1_700_000_300))
    assert first["X-Shop-Signature"].startswith("t=1700000000,v1=")
    assert second["X-Shop-Signature"].startswith("t=1700000300,v1=")
    assert first["X-Shop-Signature"].partition(",")[2] != second["X-Shop-Signature"].partition(",")[2]


def test_what_stands_before_a_signature_is_as_the_old_sender_wrote_it() -> None:
    for prefix, wanted in ((None, "sha256="), ("", ""), ("HMAC ", "HMAC ")):
        request = sent(made({"preset": "github", "header": "X-Signature", "prefix": prefix, "secret": OLD}))
        assert dict(request.headers)["X-Signature"] == wanted + hmac.digest(OLD.encode(), request.body, "sha256").hex()
    request = sent(made({"preset": "shopify", "header": "X-Signature", "prefix": "sha256=", "secret": OLD}))
    expected = base64.b64encode(hmac.digest(OLD.encode(), request.body, sha256)).decode()
    assert dict(request.headers)["X-Signature"] == f"sha256={expected}"


def test_a_scheme_that_signs_the_url_signs_the_endpoints() -> None:
    legacy = {"preset": "square", "secret": OLD}
    request = sent(made(legacy, url=f"{URL}?a=b%20c"))
    content = f"{URL}?a=b%20c".encode() + request.body
    expected = base64.b64encode(hmac.digest(OLD.encode(), content, "sha256")).decode()
    assert dict(request.headers)["x-square-hmacsha256-signature"] == expected


def test_old_receivers_hold_the_old_secret_whatever_signs_beside_it() -> None:
    endpoint = made({"preset": "github", "secret": OLD})
    for secrets in ((NEW,), (Secret("hmac", b"n" * 32), NEW), (Secret("ed25519", b"e" * 32),)):
        request = sent(endpoint, secrets=secrets)
        _github_accepts(request.body, dict(request.headers))


@pytest.mark.parametrize("preset", sorted(SCHEMES))
def test_each_preset_that_is_offered_signs_and_none_with_a_broken_hash(preset: str) -> None:
    endpoint = made({"preset": preset, "secret": SVIX})
    assert endpoint.legacy is not None
    now = time.time_ns() // 1_000
    request = sent(endpoint, at=now)
    raw = [(name.encode(), value.encode()) for name, value in request.headers]
    for body, is_accepted in ((request.body, True), (request.body + b" ", False)):
        schemes, facts = PRESETS[preset].schemes[:1], RequestFacts(public_url=URL)
        verdict = verify(schemes, raw, body, facts, [Key(SVIX)], utc(now))
        assert isinstance(verdict, Accepted) == is_accepted
    assert SCHEMES[preset].algorithm != "hmac-sha1"


@pytest.mark.parametrize(
    ("legacy", "where", "why"),
    [
        ("stripe", "/legacy", "expected an object with preset, header, prefix and secret"),
        ({"preset": "stripe", "secret": OLD, "colour": 1}, "/legacy/colour", "there is no such member"),
        ({"secret": OLD}, "/legacy/preset", "expected one of github, "),
        ({"preset": 7, "secret": OLD}, "/legacy/preset", "expected one of github, "),
        ({"preset": "strip", "secret": OLD}, "/legacy/preset", "did you mean stripe?"),
        ({"preset": "twilio", "secret": OLD}, "/legacy/preset", "its signature cannot stand in a header beside ours"),
        ({"preset": "standard", "secret": SVIX}, "/legacy/preset", "its signature cannot stand in a header"),
        ({"preset": "stripe"}, "/legacy/secret", "it is missing: give the old secret"),
        ({"preset": "stripe", "secret": ""}, "/legacy/secret", "expected the old secret"),
        ({"preset": "stripe", "secret": f"{OLD}\n"}, "/legacy/secret", "space or a line end around it"),
        ({"preset": "svix", "secret": "whsec_?"}, "/legacy/secret", "it is written as `whsec_` and base64"),
        ({"preset": "stripe", "header": "Host", "secret": OLD}, "/legacy/header", "set by tidings or by the conn"),
        ({"preset": "stripe", "header": "webhook-id", "secret": OLD}, "/legacy/header", "set by tidings"),
        ({"preset": "stripe", "header": "Content-Length", "secret": OLD}, "/legacy/header", "set by tidings"),
        ({"preset": "stripe", "header": "te", "secret": OLD}, "/legacy/header", "set by tidings"),
        ({"preset": "stripe", "header": "webhook_signature", "secret": OLD}, "/legacy/header", "set by tidings"),
        (
            {"preset": "stripe", "header": "x\r\ny", "secret": OLD},
            "/legacy/header",
            "letters, digits, hyphens or underscores",
        ),
        (
            {"preset": "stripe", "header": "x!y", "secret": OLD},
            "/legacy/header",
            "letters, digits, hyphens or underscores",
        ),
        ({"preset": "stripe", "header": 7, "secret": OLD}, "/legacy/header", "letters, digits, hyphens or underscores"),
        ({"preset": "slack", "header": "X-Slack-Request-Timestamp", "secret": OLD}, "/legacy/header", "the time"),
        ({"preset": "github", "prefix": "a\r\nb", "secret": OLD}, "/legacy/prefix", "visible ASCII"),
        ({"preset": "github", "prefix": 7, "secret": OLD}, "/legacy/prefix", "visible ASCII"),
        ({"preset": "stripe", "prefix": "x=", "secret": OLD}, "/legacy/prefix", "stands under the name v1"),
        ({"preset": "svix", "prefix": "x=", "secret": SVIX}, "/legacy/prefix", "stands under the name v1"),
    ],
)
def test_what_cannot_be_signed_with_is_refused_in_the_callers_words(legacy: Any, where: str, why: str) -> None:
    with pytest.raises(InvalidConfigurationError) as refused:
        made(legacy)
    [(pointer, said)] = refused.value.errors
    assert (pointer, why in said) == (where, True), said
    assert OLD not in str(refused.value)


def test_a_header_of_ones_own_does_not_stand_there_twice() -> None:
    for own in ("X-HUB-signature-256", "x-hub-signature-256"):
        with pytest.raises(InvalidConfigurationError, match=r"/headers: x-hub-signature-256 is the one of `legacy`"):
            made({"preset": "github", "secret": OLD}, headers={own: "1"})
    with pytest.raises(InvalidConfigurationError, match="x-slack-request-timestamp is the one of `legacy`"):
        made({"preset": "slack", "secret": OLD}, headers={"X-Slack-Request-Timestamp": "1"})


def test_a_header_that_cgi_reads_as_one_that_is_there_is_that_one() -> None:
    with pytest.raises(InvalidConfigurationError, match="/headers: x-mine is the one of `legacy`"):
        made({"preset": "github", "header": "X-Mine", "secret": OLD}, headers={"x_mine": "1"})
    with pytest.raises(InvalidConfigurationError, match="/headers: x-mine is the one of `legacy`"):
        made({"preset": "github", "header": "X_Mine", "secret": OLD}, headers={"x-mine": "1"})
    with pytest.raises(InvalidConfigurationError, match="/legacy/header: the time or the id that is signed"):
        made({"preset": "slack", "header": "X_Slack_Request_Timestamp", "secret": OLD})
    with pytest.raises(InvalidConfigurationError, match="a header stands there twice"):
        made(None, headers={"x_mine": "1", "x-mine": "2"})


def test_one_that_is_polled_has_no_url_to_sign() -> None:
    with pytest.raises(InvalidConfigurationError, match="/legacy/preset: square signs the URL"):
        made({"preset": "square", "secret": OLD}, url=None, via="poll")
    assert made({"preset": "github", "secret": OLD}, url=None, via="poll").legacy is not None


def test_a_secret_is_not_shown() -> None:
    assert OLD not in repr(made({"preset": "github", "secret": OLD}))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> str:
    """The URL of a database: in memory, or on a server."""
    return "sqlite:///:memory:" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def at(place: str) -> AsyncIterator[Desk]:
    async with desk(place) as made:
        yield made


async def attempts_of(at: Desk, to_url: str) -> None:
    await at.add(to_url, legacy={"preset": "stripe", "header": "X-Shop-Signature", "secret": OLD})
    await at.say("1")


async def test_every_attempt_is_signed_anew_over_the_bytes_that_came(at: Desk) -> None:
    async with sink() as to:
        to.answer = always(500)
        await attempts_of(at, to.url())
        await at.until("dead")
        assert len(to.got) > 1
        for got in to.got:
            stripe.WebhookSignature.verify_header(got.body.decode(), got.headers["X-Shop-Signature"], OLD, 300)
            stamp = got.headers["X-Shop-Signature"].partition(",")[0]
            assert stamp == f"t={got.headers['webhook-timestamp']}"


async def test_a_rotation_leaves_old_receivers_their_secret(at: Desk) -> None:
    async with sink() as to:
        await attempts_of(at, to.url())
        made = await at.endpoints.rotate("e", kind="ed25519", grace_s=0)
        assert made.public is not None
        await at.say("2")
        await at.until("delivered", "delivered")
        for got in to.got:
            stripe.WebhookSignature.verify_header(got.body.decode(), got.headers["X-Shop-Signature"], OLD, 300)
