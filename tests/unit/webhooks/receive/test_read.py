"""What deliveries say: every preset's own, and what happens to those that say it wrongly."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from tests.unit.webhooks.receive.deliveries import AT_S, DELIVERIES, ID, Delivery
from tidings.errors import TranslationError
from tidings.events.codec import encode_json
from tidings.webhooks.receive.places import First, Header, Member
from tidings.webhooks.receive.preset import BodyHash, Dedupe, Fields, Preset
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.read import Item, read
from tidings.webhooks.receive.scheme import Members, Scheme

OWN = Preset(
    name="own",
    schemes=(Scheme(algorithm="token", signature=Header("x-token"), encoding="none", tolerance=None),),
    dedupe=Member("/id"),
    type=(Member("/type"),),
)
JSON = (b"content-type", b"application/json")
AT_US = AT_S * 1_000_000


def items_of(preset: Preset, value: Any, *headers: tuple[bytes, bytes]) -> tuple[Item, ...]:
    return read(preset, [JSON, *headers], value if isinstance(value, bytes) else encode_json(value))


def of_provider(name: str) -> list[tuple[str | None, str, str | None, str | None, int | None]]:
    delivery: Delivery = DELIVERIES[name]
    headers = [*delivery.headers, (b"webhook-id", ID.encode()), (b"svix-id", ID.encode())]
    found = read(PRESETS[name], headers, delivery.body, delivery.request)
    return [(item.id, item.type, item.subject, item.time, item.order) for item in found]


SECOND = "2026-05-04T10:11:12.000000Z"
EXPECTED: dict[str, list[tuple[str | None, str, str | None, str | None, int | None]]] = {
    "standard": [(ID, "standard.contact.created", "c1", "2026-05-04T10:11:12.5Z", AT_US + 500_000)],
    "svix": [(ID, "svix.contact.created", "c1", "2026-05-04T10:11:12.5Z", AT_US + 500_000)],
    "stripe": [("evt_1", "stripe.customer.subscription.trial-will-end", "sub_1", SECOND, AT_US)],
    "github": [("72d3162e-cc78-11e3-81ab-4c9367dc0958", "github.issues.opened", "a/b", None, AT_US)],
    "shopify": [
        (
            "b54557e4",
            "shopify.orders-create",
            "gid://shopify/Order/1",
            "2026-05-04T10:11:12.123456789Z",
            AT_US + 123_456,
        )
    ],
    "slack": [("Ev1", "slack.app-mention", "C1", SECOND, AT_US)],
    "twilio": [("t-1", "twilio.delivered", "SM1", None, None)],
    "paypal": [("WH-1", "paypal.payment.sale.completed", "80F8", "2026-05-04T10:11:12Z", AT_US)],
    "square": [("6a8f", "square.payment.updated", "p", "2026-05-04T10:11:12Z", AT_US)],
    "adyen": [
        (
            "AUTHORISATION:7914073381342284:true",
            "adyen.authorisation",
            "7914073381342284",
            "2026-05-04T12:11:12+02:00",
            AT_US,
        ),
        ("CAPTURE:7914073381342284:true", "adyen.capture", "791", "2026-05-04T12:11:12+02:00", AT_US),
    ],
    "hubspot": [
        (f"1:12345:{AT_S * 1000}", "hubspot.contact.propertychange", "123", SECOND, AT_US),
        (f"2:12345:{AT_S * 1000}", "hubspot.contact.creation", "124", SECOND, AT_US),
    ],
    "gitlab": [(ID, "gitlab.merge-request.open", "g/p", None, None)],
    "linear": [("234d1a4e", "linear.issue.update", "i1", "2026-05-04T10:11:12.000Z", AT_US)],
    "sendgrid": [
        ("se1", "sendgrid.processed", "m1", SECOND, AT_US),
        ("se2", "sendgrid.delivered", "m1", SECOND, AT_US),
    ],
    "paddle": [("evt_01", "paddle.subscription.created", "sub", "2026-05-04T10:11:12.1Z", AT_US + 100_000)],
    "chargebee": [("ev_1", "chargebee.subscription-created", None, SECOND, AT_US)],
}
TYPES_BY_HASH = {
    "meta": [f"meta.whatsapp-business-account.{field}" for field in ("messages", "account-update", "messages")],
    "zoom": ["zoom.meeting.started"],
    "discord": ["discord.application-authorized"],
    "graph": ["graph.updated", "graph.missed"],
    "postmark": ["postmark.delivery"],
    "x": ["x.activity"],
}


def test_every_preset_is_read_here() -> None:
    assert EXPECTED.keys() | TYPES_BY_HASH.keys() == PRESETS.keys()


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_delivery_becomes_its_events(name: str) -> None:
    assert of_provider(name) == EXPECTED[name]


@pytest.mark.parametrize("name", list(TYPES_BY_HASH))
def test_events_without_an_id_are_known_by_the_hash_of_their_bytes(name: str) -> None:
    delivery = DELIVERIES[name]
    found = read(PRESETS[name], delivery.headers, delivery.body, delivery.request)
    assert [item.type for item in found] == TYPES_BY_HASH[name]
    assert [item.id for item in found] == [f"sha256:{sha256(item.data).hexdigest()}" for item in found]
    assert len({item.id for item in found}) == len(found)


def test_items_are_the_bytes_that_were_sent() -> None:
    preset = replace(OWN, split=("/events",))
    body = b'{ "events" : [ {"id": "a", "type": "t", "n": 1.0} , {"type":"t","id":"b","n":1e2}] }'
    assert [item.data for item in items_of(preset, body)] == [
        b'{"id": "a", "type": "t", "n": 1.0}',
        b'{"type":"t","id":"b","n":1e2}',
    ]
    assert items_of(preset, {"events": []}) == ()


def test_a_batch_item_uses_its_own_id_else_the_delivery_s_with_its_index() -> None:
    of_item = replace(OWN, split=("",))
    body = [{"id": "a", "type": "t"}, {"id": "b", "type": "t"}]
    assert [item.id for item in items_of(of_item, body)] == ["a", "b"]
    of_delivery = replace(of_item, dedupe=Header("x-id"))
    assert [item.id for item in items_of(of_delivery, body, (b"X-Id", b"d1"))] == ["d1#0", "d1#1"]
    whole = replace(OWN, split=("/events",), dedupe=Member("/id", whole=True))
    assert [item.id for item in items_of(whole, {"id": "d", "events": body})] == ["d#0", "d#1"]


def test_without_the_provider_s_id_the_hash_of_the_bytes_is_the_id() -> None:
    [item] = items_of(OWN, b'{"type":"t"}')
    assert item.id == "sha256:" + sha256(b'{"type":"t"}').hexdigest()


def test_dedupe_none_gives_no_id() -> None:
    [item] = items_of(replace(OWN, dedupe="none"), {"id": "a", "type": "t"})
    assert item.id is None


def test_volatile_members_are_left_out_of_the_content_hash_alone() -> None:
    preset = replace(OWN, volatile=("/attempt", "/meta/sent"))
    first, second, third = (
        items_of(preset, {"id": "a", "type": "t", "attempt": attempt, "meta": {"sent": attempt, "kept": kept}})[0]
        for attempt, kept in ((1, 1), (2, 1), (1, 2))
    )
    assert first.content_hash == second.content_hash != third.content_hash
    assert first.data != second.data


def test_whitespace_is_no_content_but_order_is() -> None:
    hashes = [items_of(OWN, body)[0].content_hash for body in (b'{"id":"a","type":"t"}', b'{ "id": "a", "type": "t" }')]
    assert hashes[0] == hashes[1] != items_of(OWN, b'{"type":"t","id":"a"}')[0].content_hash


def test_the_first_place_that_has_something_counts() -> None:
    preset = replace(OWN, type=(First((Member("/event/type"), Member("/type"))), Member("/action")))
    assert [
        items_of(preset, body)[0].type
        for body in ({"event": {"type": "a"}, "type": "b"}, {"type": "b"}, {"type": "b", "action": "C d"})
    ] == ["own.a", "own.b", "own.b.c-d"]


def test_an_order_without_a_unit_is_a_whole_number() -> None:
    [item] = items_of(replace(OWN, order=Member("/n")), {"id": "a", "type": "t", "n": -7})
    assert item.order == -7


def test_a_correlation_is_kept() -> None:
    delivery = DELIVERIES["shopify"]
    [item] = read(PRESETS["shopify"], delivery.headers, delivery.body)
    assert item.correlation == "98880550"


def test_a_form_becomes_one_object() -> None:
    delivery = DELIVERIES["twilio"]
    [item] = read(PRESETS["twilio"], delivery.headers, delivery.body + b"&MediaUrl=1&MediaUrl=2&Empty=")
    assert item.content_type == "application/json"
    assert (
        item.data
        == (
            '{"MessageSid":"SM1","MessageStatus":"delivered","Body":"ä & b","To":"+1","MediaUrl":["1","2"],"Empty":""}'
        ).encode()
    )


TIMED = replace(OWN, time=Member("/at", "s"))
FAILING: list[tuple[str, Preset, Any, str]] = [
    ("not JSON", OWN, b"{", "the JSON cannot be read"),
    ("a name twice", OWN, b'{"id":"a","id":"b","type":"t"}', "stands twice"),
    ("no type", OWN, {"id": "a"}, "/type: the webhook says no type"),
    ("a type that is no text", OWN, {"id": "a", "type": {}}, "/type: the webhook says no type"),
    ("an id too long", OWN, {"id": "a" * 257, "type": "t"}, "the id"),
    ("an id with a control character", OWN, {"id": "a\n", "type": "t"}, "the id"),
    ("a type too long", OWN, {"id": "a", "type": "t" * 255}, "the type"),
    (
        "a subject too long",
        replace(OWN, subject=Member("/s")),
        {"id": "a", "type": "t", "s": "s" * 1025},
        "the subject",
    ),
    ("a time that is none", TIMED, {"id": "a", "type": "t", "at": "noon"}, "/at: 'noon' is no time in the form 's'"),
    ("a time in no year", TIMED, {"id": "a", "type": "t", "at": 10**13}, "is no time"),
    ("an order that is none", replace(OWN, order=Member("/n")), {"id": "a", "type": "t", "n": "x"}, "no whole number"),
    ("no array", replace(OWN, split=("/events",)), {"events": {}}, "/events: it is no array of events"),
    ("nothing to split", replace(OWN, split=("/events",)), {}, "/events: it is no array of events"),
    (
        "an id that lacks a part",
        replace(OWN, dedupe=Fields((Member("/a"), Member("/b")))),
        {"a": 1, "type": "t"},
        "/a, /b",
    ),
]


@pytest.mark.parametrize(("preset", "body", "said"), [each[1:] for each in FAILING], ids=[each[0] for each in FAILING])
def test_what_cannot_be_read_is_a_translation_error(preset: Preset, body: Any, said: str) -> None:
    with pytest.raises(TranslationError) as caught:
        items_of(preset, body)
    assert said in str(caught.value)


@pytest.mark.parametrize("header", [[(b"x-id", b"a"), (b"x-id", b"b")], [(b"x-id", b"\xff")]])
def test_a_header_that_is_twice_or_garbage_is_a_translation_error(header: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(TranslationError, match="the header x-id: what is there cannot be read"):
        items_of(replace(OWN, dedupe=Header("x-id")), {"type": "t"}, *header)


@pytest.mark.parametrize("body", [b"a=b", b"payload=1&payload=2", b"payload=%zz%ff", b"payload=\xff", b"payload="])
def test_a_form_without_its_json_is_a_translation_error(body: bytes) -> None:
    form = [(b"content-type", b"application/x-www-form-urlencoded"), (b"x-github-event", b"push")]
    with pytest.raises(TranslationError):
        read(PRESETS["github"], form, body)


def test_header_body_mismatch_is_quarantined() -> None:
    """The header that names the type is not signed: one that the body does not fit is not believed."""
    delivery = DELIVERIES["github"]
    with pytest.raises(TranslationError, match="/pull_request"):
        read(PRESETS["github"], _with(delivery, b"X-GitHub-Event", b"pull_request"), delivery.body)
    delivery = DELIVERIES["linear"]
    with pytest.raises(TranslationError, match="linear-event says 'Comment', the body 'Issue'"):
        read(PRESETS["linear"], _with(delivery, b"Linear-Event", b"Comment"), delivery.body)


def _with(delivery: Delivery, name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, value if key == name else old) for key, old in delivery.headers]


def test_only_ids_that_anybody_could_change_are_guarded() -> None:
    guarded = {name for name, preset in PRESETS.items() if not preset.id_is_signed}
    assert guarded == {"github", "shopify", "twilio", "linear", "adyen"}
    assert items_of(replace(OWN, dedupe=BodyHash()), {"type": "t"})[0].guard is None


@pytest.mark.parametrize(
    "form",
    [
        b"To=%2B1&Body=%C3%A4+%26+b&MessageStatus=delivered&MessageSid=SM1",
        b"MessageSidS=M1&MessageStatus=delivered&Body=%C3%A4+%26+b&To=%2B1",
        b"MessageSid=SM1&MessageStatus=delivered&Body=%C3%A4+%26+b&To=%2B1&To=%2B1",
    ],
)
def test_what_a_stranger_makes_of_a_form_under_its_signature_is_the_same_event(form: bytes) -> None:
    preset, given = PRESETS["twilio"], DELIVERIES["twilio"]
    [first] = read(preset, given.headers, given.body, given.request)
    [other] = read(preset, given.headers[:1], form, given.request)
    assert (other.guard, other.content_hash) == (first.guard, first.content_hash)
    assert other.data != first.data
    [another] = read(preset, given.headers, given.body + b"2", given.request)
    assert (another.guard, another.content_hash) != (first.guard, first.content_hash)


def test_a_form_of_which_a_part_was_moved_into_the_query_is_known_by_what_was_signed() -> None:
    preset, given = PRESETS["twilio"], DELIVERIES["twilio"]
    form = given.body.partition(b"&Body=")[0] + b"&To=%2B1"
    [first] = read(preset, given.headers, form + b"&Body=x", given.request)
    moved = replace(given.request, query=given.request.query + b"Bodyx")
    [other] = read(preset, given.headers[:1], form, moved)
    assert other.guard == first.guard


@pytest.mark.parametrize("dedupe", [PRESETS["adyen"].dedupe, BodyHash()])
def test_members_between_which_a_stranger_moved_the_borders_are_known_by_what_was_signed(dedupe: Dedupe) -> None:
    """Adyen joins what it signs by `:`, and escapes none that stands in a reference."""
    preset = replace(PRESETS["adyen"], dedupe=dedupe)
    [first] = adyen_items(preset, pspReference="P1", originalReference="", merchantReference="order:77")
    [moved] = adyen_items(preset, pspReference="P1:", originalReference="ShopEU", merchantAccountCode="order",
                          merchantReference="77")  # fmt: skip
    assert (moved.guard, moved.id == first.id) == (first.guard, False)
    [repeat] = adyen_items(preset, pspReference="P1", originalReference="", merchantReference="order:77")
    assert (repeat.id, repeat.guard, repeat.content_hash) == (first.id, first.guard, first.content_hash)
    assert moved.content_hash != first.content_hash
    [other] = adyen_items(preset, pspReference="P2", originalReference="", merchantReference="order:77")
    assert (other.guard == first.guard, other.id == first.id) == (False, False)


def adyen_items(preset: Preset, **members: str) -> tuple[Item, ...]:
    item = {
        "merchantAccountCode": "ShopEU",
        "amount": {"value": 100, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
        "additionalData": {"hmacSignature": "the same"},
    }
    return items_of(preset, {"notificationItems": [{"NotificationRequestItem": item | members}]})


def test_what_is_signed_in_another_way_is_not_known_by_members_that_it_lacks() -> None:
    """Of two schemes, one of members and one of the whole body, the items of the second have no signed members."""
    members = Scheme(algorithm="hmac-sha256", signature=Member("/by"), signed=(Members(("/n",)),), tolerance=None)
    whole = Scheme(algorithm="hmac-sha256", signature=Header("x-by"), tolerance=None)
    preset = replace(OWN, schemes=(members, whole))
    [one], [other] = (items_of(preset, {"id": each, "type": "t"}) for each in "ab")
    assert one.guard != other.guard
