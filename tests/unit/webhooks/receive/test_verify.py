"""Bad input to the verifier, each with the reason that metrics show; and what is still accepted beside it."""

from __future__ import annotations

import tracemalloc
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from hmac import new as hmac_of
from typing import Any

import pytest

from tests.unit.webhooks.receive.deliveries import AT, AT_S, DELIVERIES, ID, WHSEC, certificate_pair, signed
from tidings.webhooks.receive.given import FORM
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.places import Header, Prefix
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.presets.code import GITHUB
from tidings.webhooks.receive.presets.payments import ADYEN, PAYPAL, STRIPE
from tidings.webhooks.receive.presets.standard import STANDARD, V1
from tidings.webhooks.receive.read import read
from tidings.webhooks.receive.scheme import Scheme, Url
from tidings.webhooks.receive.sign import sign
from tidings.webhooks.receive.verdict import Accepted, Rejected, RequestFacts
from tidings.webhooks.receive.verify import verify

KEY = Key(WHSEC)
OLD = Key("whsec_" + "T0xE" * 8)
BODY = DELIVERIES["standard"].body
SIGNED = sign(V1, BODY, RequestFacts(), [KEY], id=ID, at=AT)
HEADERS = dict(SIGNED.headers)
SIGNATURE = HEADERS[b"webhook-signature"]


def judged(headers: dict[bytes, bytes], *, body: bytes = BODY, keys: list[Key] | None = None, late: float = 0) -> Any:
    """Return the reason for a refusal, or the verdict that accepts."""
    now = AT + timedelta(seconds=late)
    verdict = verify(
        STANDARD.schemes, list(headers.items()), body, RequestFacts(), [KEY] if keys is None else keys, now
    )
    return verdict.reason if isinstance(verdict, Rejected) else verdict


def test_the_right_one_is_accepted_whatever_the_case_of_its_headers() -> None:
    assert isinstance(judged(HEADERS), Accepted)
    assert isinstance(judged({name.title(): b" " + value + b"\t" for name, value in HEADERS.items()}), Accepted)


def test_a_forged_signature_is_refused() -> None:
    forged = sign(V1, BODY, RequestFacts(), [OLD], id=ID, at=AT)
    assert judged(dict(forged.headers)) == "no-matching-signature"


def test_a_stale_signature_is_refused() -> None:
    assert judged(HEADERS, late=301) == "too-old"


def test_future_timestamp_is_rejected() -> None:
    assert judged(HEADERS, late=-301) == "too-new"
    assert isinstance(judged(HEADERS, late=-300), Accepted)


@pytest.mark.parametrize("cut", range(3, len(SIGNATURE)))
def test_a_truncated_signature_is_refused(cut: int) -> None:
    assert judged(HEADERS | {b"webhook-signature": SIGNATURE[:cut]}) in ("malformed-header", "no-matching-signature")


@pytest.mark.parametrize("longer", [SIGNATURE + b"A", SIGNATURE[:-1] + b"AA=", SIGNATURE + b"=", SIGNATURE + SIGNATURE])
def test_a_signature_with_more_behind_it_is_refused(longer: bytes) -> None:
    assert judged(HEADERS | {b"webhook-signature": longer}) in ("malformed-header", "no-matching-signature")


def test_every_signature_is_tried_with_every_key() -> None:
    both = sign(V1, BODY, RequestFacts(), [OLD, KEY], id=ID, at=AT)
    value = dict(both.headers)[b"webhook-signature"]
    assert value.count(b"v1,") == 2
    for keys in ([KEY], [OLD], [Key("whsec_" + "QUFB" * 8), KEY], [KEY, OLD]):
        assert isinstance(judged(dict(both.headers), keys=keys), Accepted)
    stripe = sign(STRIPE.schemes[0], BODY, RequestFacts(), [Key("one"), Key("two"), Key("three")], at=AT)
    for only in ("one", "two", "three"):
        assert isinstance(verify(STRIPE.schemes, stripe.headers, BODY, RequestFacts(), [Key(only)], AT), Accepted)


def test_unknown_labels_are_skipped() -> None:
    assert isinstance(judged(HEADERS | {b"webhook-signature": b"v9,AAAA v0 " + SIGNATURE}), Accepted)
    assert judged(HEADERS | {b"webhook-signature": SIGNATURE.replace(b"v1,", b"v2,")}) == "no-matching-signature"


def test_one_unreadable_signature_does_not_hide_the_right_one() -> None:
    assert isinstance(judged(HEADERS | {b"webhook-signature": b"v1,??? " + SIGNATURE}), Accepted)


def test_sixteen_signatures_are_tried_and_seventeen_refused() -> None:
    others = b"v1,AAAA " * 15
    assert isinstance(judged(HEADERS | {b"webhook-signature": others + SIGNATURE}), Accepted)
    assert judged(HEADERS | {b"webhook-signature": others + b"v1,AAAA " + SIGNATURE}) == "malformed-header"


def test_eight_keys_are_tried_and_nine_refused() -> None:
    others = [Key(f"whsec_{'QUFB' * (each + 6)}") for each in range(7)]
    assert isinstance(judged(HEADERS, keys=[*others, KEY]), Accepted)
    assert judged(HEADERS, keys=[*others, OLD, KEY]) == "malformed-header"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (replace(KEY, not_after=AT), "no-active-key"),
        (replace(KEY, not_after=AT + timedelta(seconds=1)), Accepted),
        (replace(KEY, not_before=AT + timedelta(seconds=1)), "no-active-key"),
        (replace(KEY, not_before=AT), Accepted),
    ],
)
def test_a_key_signs_only_while_it_holds(key: Key, found: Any) -> None:
    verdict = judged(HEADERS, keys=[key])
    assert isinstance(verdict, found) if isinstance(found, type) else verdict == found


def test_no_key_and_no_usable_key_are_refused() -> None:
    assert judged(HEADERS, keys=[]) == "no-active-key"
    assert judged(HEADERS, keys=[Key("no whsec")]) == "no-active-key"


@pytest.mark.parametrize("name", list(HEADERS))
def test_a_missing_header_is_refused(name: bytes) -> None:
    assert judged({key: value for key, value in HEADERS.items() if key != name}) == "missing-header"


@pytest.mark.parametrize("name", list(HEADERS))
def test_a_repeated_header_is_refused_even_if_it_says_the_same(name: bytes) -> None:
    headers = [*HEADERS.items(), (name.upper(), HEADERS[name])]
    assert verify(STANDARD.schemes, headers, BODY, RequestFacts(), [KEY], AT) == Rejected("repeated-header")


@pytest.mark.parametrize("garbage", [b"", b" ", b"\xff\xfe", "ä".encode(), b"a\x00b", b"a\nb", b"x" * 20_000])
@pytest.mark.parametrize("name", list(HEADERS))
def test_a_garbage_header_is_refused(name: bytes, garbage: bytes) -> None:
    assert judged(HEADERS | {name: garbage}) in ("malformed-header", "malformed-timestamp")


@pytest.mark.parametrize(
    "stamp",
    [
        "-1",
        "+1",
        "1.5",
        f"{AT_S}.9",
        "1e9",
        "0x10",
        "",
        " ",
        "１",
        "123456789012345",
        "2026-05-04T10:11:12Z",
        "NaN",
        f"{AT_S} 0",
    ],
)
def test_a_timestamp_that_is_not_digits_is_refused(stamp: str) -> None:
    reason = judged(HEADERS | {b"webhook-timestamp": stamp.encode()})
    assert reason in ("malformed-timestamp", "malformed-header")


@pytest.mark.parametrize(
    "text", [SIGNATURE[:11] + b"=", SIGNATURE.rstrip(b"="), SIGNATURE[:9] + b"*" + SIGNATURE[9:], SIGNATURE + b"=" * 3]
)
def test_wrong_base64_is_refused(text: bytes) -> None:
    """Each but the first is what a lenient reader takes for the right signature."""
    assert judged(HEADERS | {b"webhook-signature": text}) == "malformed-header"


def test_base64_with_other_unused_bits_is_not_the_same_signature() -> None:
    other = SIGNATURE[:-2] + bytes([SIGNATURE[-2] + 1]) + b"="
    assert b64decode(other[3:]) == b64decode(SIGNATURE[3:])
    assert judged(HEADERS | {b"webhook-signature": other}) == "malformed-header"


@pytest.mark.parametrize("change", [bytes.upper, lambda text: b" ".join([text[:9], text[9:]]), lambda text: text[:-1]])
def test_wrong_hex_is_refused(change: Callable[[bytes], bytes]) -> None:
    keys = [Key("It's a Secret to Everybody")]
    made = sign(GITHUB.schemes[0], BODY, RequestFacts(), keys, at=AT)
    [(name, value)] = made.headers
    changed = value[:7] + change(value[7:])
    assert isinstance(verify(GITHUB.schemes, [(name, changed)], BODY, RequestFacts(), keys, AT), Rejected)


def test_an_id_with_a_dot_is_refused() -> None:
    """Else `a.1` at `2` and `a` at `1.2` would be signed alike."""
    assert judged(HEADERS | {b"webhook-id": b"msg.1"}) == "malformed-header"


def test_a_downgrade_to_sha1_is_refused() -> None:
    secret = b"It's a Secret to Everybody"
    headers = [(b"x-hub-signature", b"sha1=" + hmac_of(secret, BODY, sha1).hexdigest().encode())]
    assert verify(GITHUB.schemes, headers, BODY, RequestFacts(), [Key(secret.decode())], AT) == Rejected(
        "missing-header"
    )
    renamed = [(b"x-hub-signature-256", headers[0][1])]
    assert isinstance(verify(GITHUB.schemes, renamed, BODY, RequestFacts(), [Key(secret.decode())], AT), Rejected)


def test_a_weaker_scheme_beside_a_broken_stronger_one_is_not_consulted() -> None:
    token = Key("a-long-shared-token")
    weak = [(b"X-Gitlab-Token", token.text.encode())]
    schemes = PRESETS["gitlab"].schemes
    assert isinstance(verify(schemes, weak, BODY, RequestFacts(), [KEY, token], AT), Accepted)
    broken = HEADERS | {b"webhook-signature": b"v1,AAAA"}
    beside = [*weak, *broken.items()]
    assert verify(schemes, beside, BODY, RequestFacts(), [KEY, token], AT) == Rejected("no-matching-signature")


def test_reserialised_body_is_rejected() -> None:
    assert judged(HEADERS, body=BODY.replace(b":", b": ")) == "no-matching-signature"


def test_signature_is_checked_on_raw_bytes() -> None:
    """Bytes that are no UTF-8 and no JSON are signed and accepted as they are."""
    raw = b"\xff\x00\xfe{" + bytes(range(256))
    made = sign(V1, raw, RequestFacts(), [KEY], id=ID, at=AT)
    assert isinstance(judged(dict(made.headers), body=raw), Accepted)
    assert judged(dict(made.headers), body=raw.replace(b"\xff", b"\xef\xbf\xbd")) == "no-matching-signature"


def test_nothing_is_parsed_before_the_signature_is_right() -> None:
    deep = b"[" * 1_000_000
    tracemalloc.start()
    try:
        linear = PRESETS["linear"].schemes
        headers = [(b"linear-signature", b"0" * 64)]
        assert verify(linear, headers, deep, RequestFacts(), [Key("k")], AT) == Rejected("no-matching-signature")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_unknown_scheme_fails_closed() -> None:
    unknown = replace(V1)
    object.__setattr__(unknown, "algorithm", "hmac-md5")
    for schemes in (unknown, [unknown], []):
        assert verify(schemes, SIGNED.headers, BODY, RequestFacts(), [KEY], AT) == Rejected("unsupported-scheme")


def test_unsigned_is_accepted_only_where_it_is_written_out() -> None:
    unsigned = Scheme(algorithm="unsigned", tolerance=None)
    assert isinstance(verify(unsigned, [], b"", RequestFacts(), [], AT), Accepted)
    assert all(scheme.algorithm != "unsigned" for preset in PRESETS.values() for scheme in preset.schemes)


def test_unsigned_id_header_cannot_defeat_dedup() -> None:
    """GitHub and Shopify sign the body alone: the same body under another id is accepted, and has the same guard."""
    for name, header in (("github", b"X-GitHub-Delivery"), ("shopify", b"X-Shopify-Webhook-Id")):
        preset, keys = PRESETS[name], [Key("It's a Secret to Everybody")]
        made = signed(preset.schemes[0], DELIVERIES[name], keys)
        replayed = [(key, b"another-id" if key == header else value) for key, value in made.headers]
        assert isinstance(verify(preset.schemes, replayed, made.body, RequestFacts(), keys, AT), Accepted)
        [first], [second] = read(preset, made.headers, made.body), read(preset, replayed, made.body)
        assert first.id != second.id
        assert first.guard == second.guard is not None


def test_an_altered_id_header_on_a_replayed_body_is_refused_where_the_id_is_signed() -> None:
    assert judged(HEADERS | {b"webhook-id": b"msg_other"}) == "no-matching-signature"


def test_one_wrong_item_refuses_all_of_them() -> None:
    keys = [Key("44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056")]
    made = signed(ADYEN.schemes[0], DELIVERIES["adyen"], keys)
    assert isinstance(verify(ADYEN.schemes, [], made.body, RequestFacts(), keys, AT), Accepted)
    for at in (b'"AUTHORISATION"', b'"CAPTURE"'):
        body = made.body.replace(at, b'"REFUND"')
        assert verify(ADYEN.schemes, [], body, RequestFacts(), keys, AT) == Rejected("no-matching-signature")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"notificationItems":[]}', b'{"notificationItems":[{}]}', b"{" * 99]
)
def test_items_that_are_not_there_are_refused(body: bytes) -> None:
    assert verify(ADYEN.schemes, [], body, RequestFacts(), [Key("00" * 32)], AT) == Rejected("body-field-missing")


def test_only_the_certificate_of_the_named_url_is_used() -> None:
    signing, verifying = certificate_pair()
    made = signed(PAYPAL.schemes[0], DELIVERIES["paypal"], signing)
    request = DELIVERIES["paypal"].request
    assert isinstance(verify(PAYPAL.schemes, made.headers, made.body, request, verifying, AT), Accepted)
    elsewhere = [replace(key, name="https://example.com/cert") for key in verifying]
    assert verify(PAYPAL.schemes, made.headers, made.body, request, elsewhere, AT) == Rejected("no-active-key")
    other = replace(request, settings={"webhook_id": "another"})
    assert verify(PAYPAL.schemes, made.headers, made.body, other, verifying, AT) == Rejected("no-matching-signature")


def test_what_is_not_configured_is_refused() -> None:
    """Without the URL that is signed, or the setting, nothing could be judged."""
    for name in ("square", "paypal"):
        preset, (signing, verifying) = PRESETS[name], certificate_pair()
        keys = signing if name == "paypal" else [Key("k")]
        made = signed(preset.schemes[0], DELIVERIES[name], keys)
        keys = verifying if name == "paypal" else keys
        verdict = verify(preset.schemes, made.headers, made.body, RequestFacts(), keys, AT)
        assert verdict == Rejected("unsupported-scheme")


def test_a_form_signature_never_covers_json_and_json_needs_its_digest() -> None:
    """Twilio's signature of a form without fields is that of its URL, as of JSON with its digest: it covers nothing."""
    twilio, request = PRESETS["twilio"], DELIVERIES["twilio"].request
    keys = [Key("token-of-the-account")]
    signed_url = sign(replace(twilio.schemes[0], signed=(Url(),)), b"", request, keys, at=AT)
    form, as_json = ([*signed_url.headers, (b"content-type", each)] for each in (FORM.encode(), b"application/json"))
    assert verify(twilio.schemes, as_json, b'{"a":1}', request, keys, AT) == Rejected("body-field-missing")
    for nothing in (b"", b"=", b"&=&"):
        assert verify(twilio.schemes, form, nothing, request, keys, AT) == Rejected("body-field-missing")
    made = sign(twilio.schemes[2], b'{"a":1}', request, keys, at=AT)
    asked = replace(request, query=made.query)
    json = [*made.headers, (b"content-type", b"application/json")]
    assert isinstance(verify(twilio.schemes, json, b'{"a":1}', asked, keys, AT), Accepted)
    assert isinstance(verify(twilio.schemes, json, b'{"a":2}', asked, keys, AT), Rejected)
    as_form = [*made.headers, (b"content-type", FORM.encode())]
    assert isinstance(verify(twilio.schemes, as_form, b"", asked, keys, AT), Rejected)


def test_the_time_in_a_body_is_judged_after_its_signature() -> None:
    linear, keys = PRESETS["linear"], [Key("k")]
    made = signed(linear.schemes[0], DELIVERIES["linear"], keys)
    late = AT + timedelta(hours=1)
    assert verify(linear.schemes, made.headers, made.body, RequestFacts(), keys, late) == Rejected("too-old")
    forged = [(name, b"0" * 64 if name == b"linear-signature" else value) for name, value in made.headers]
    assert verify(linear.schemes, forged, made.body, RequestFacts(), keys, late) == Rejected("no-matching-signature")
    made = sign(
        replace(linear.schemes[0], timestamp=None, tolerance=None), b'{"type":"Issue"}', RequestFacts(), keys, at=AT
    )
    verdict = verify(linear.schemes, made.headers, made.body, RequestFacts(), keys, AT)
    assert verdict == Rejected("body-field-missing")


@pytest.mark.parametrize(
    "value", [b"t=1", b"v1=aa", b"t=1,t=2,v1=aa", b"t,v1=aa", b",", b"t=,v1=", b"t=1;v1=aa", b"=,=", b"t=x,v1=aa"]
)
def test_broken_pairs_are_refused(value: bytes) -> None:
    verdict = verify(STRIPE.schemes, [(b"stripe-signature", value)], BODY, RequestFacts(), [Key("k")], AT)
    assert isinstance(verdict, Rejected)


def test_a_prefix_that_is_another_one_is_refused() -> None:
    scheme = Scheme(algorithm="hmac-sha256", signature=Header("x"), layout=Prefix("v0="), tolerance=None)
    verdict = verify(scheme, [(b"x", b"v1=" + b"0" * 64)], BODY, RequestFacts(), [Key("k")], AT)
    assert verdict == Rejected("malformed-header")


@pytest.mark.parametrize("value", [b"Bearer x", b"Basic", b"Basic ???", b"Basic aG9va3M=", b"Basic aG9va3M6"])
def test_wrong_credentials_are_refused(value: bytes) -> None:
    schemes, keys = PRESETS["postmark"].schemes, [Key("hooks:password")]
    assert isinstance(verify(schemes, [(b"authorization", value)], b"{}", RequestFacts(), keys, AT), Rejected)
    right = [(b"Authorization", b"basic aG9va3M6cGFzc3dvcmQ=")]
    assert isinstance(verify(schemes, right, b"{}", RequestFacts(), keys, AT), Accepted)
