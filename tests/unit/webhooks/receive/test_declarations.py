"""Schemes, presets and keys that are written wrongly are refused where they are written, in the writer's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidings.errors import DeclarationError
from tidings.webhooks.receive.keys import KEYS_MAX, Key, check_keys
from tidings.webhooks.receive.places import Header, Labelled, Member, Pairs, Prefix, Query
from tidings.webhooks.receive.preset import Answers, BodyHash, Fields, Handshake, Preset
from tidings.webhooks.receive.scheme import Body, Id, Members, Scheme, Text, Timestamp

PLAIN: dict[str, Any] = {"algorithm": "hmac-sha256", "signature": Header("x-signature"), "tolerance": None}
SCHEME = Scheme(**PLAIN)
PRESET = Preset(name="own", schemes=(SCHEME,), dedupe=BodyHash(), type=(Member("/type"),))
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

WRONG: list[tuple[str, Callable[[], object]]] = [
    ("tolerance=None", lambda: replace(SCHEME, timestamp=Header("x-time", "s"), tolerance=timedelta(0))),
    ("tolerance=None", lambda: replace(SCHEME, timestamp=Header("x-time", "s"), tolerance=timedelta(-1))),
    ("without a place for the time", lambda: replace(SCHEME, tolerance=timedelta(seconds=300))),
    ("say how the time is written", lambda: replace(SCHEME, timestamp=Header("x-time"))),
    ("algorithm is one of", lambda: replace(SCHEME, algorithm="hmac-md5")),
    ("encoding is one of", lambda: replace(SCHEME, encoding="hexx")),
    ("key_form is one of", lambda: replace(SCHEME, key_form="jwk")),
    ('"hex" or "base64"', lambda: replace(SCHEME, encoding="none")),
    ('algorithm="unsigned" out', lambda: replace(SCHEME, signature=None)),
    ('algorithm="unsigned" out', lambda: replace(SCHEME, algorithm="unsigned")),
    ("a layout is", lambda: replace(SCHEME, layout="sha256=")),
    ("a place is written", lambda: replace(SCHEME, signature="x-signature")),
    ("tuple of parts", lambda: replace(SCHEME, signed=("body",))),
    ("must come from the request", lambda: replace(SCHEME, signed=())),
    ("must come from the request", lambda: replace(SCHEME, signed=(Text("v0:"),))),
    ('id=Header("webhook-id")', lambda: replace(SCHEME, signed=(Id(), Body()))),
    ("say where it stands", lambda: replace(SCHEME, signed=(Timestamp(), Body()))),
    ("cannot cover the body", lambda: replace(SCHEME, signature=Member("/signature"))),
    ("a key of ed25519 is written as", lambda: replace(SCHEME, algorithm="ed25519", key_form="text")),
    ("certificate's URL", lambda: replace(SCHEME, algorithm="rsa-sha256", key_form="cert-url")),
    ("is no header", lambda: Header("")),
    ("is no header", lambda: Header("x signature")),
    ("is no JSON pointer", lambda: Member("id")),
    ("needs a name", lambda: Query("")),
    ("or Plain", lambda: Prefix("")),
    ("name the signature's part", lambda: Pairs(signature="v1", time="v1")),
    ("is no label", lambda: Labelled("v1,")),
    ("a preset's name", lambda: replace(PRESET, name="My_Own")),
    ("a preset has schemes", lambda: replace(PRESET, schemes=())),
    ("a type needs one", lambda: replace(PRESET, type=())),
    ("a place is written", lambda: replace(PRESET, subject="/subject")),
    ("say how the time is written", lambda: replace(PRESET, time=Member("/created"))),
    ("dedupe is a place", lambda: replace(PRESET, dedupe="off")),
    ("an id of several fields", lambda: Fields((Member("/id"),))),
    ("a volatile member", lambda: replace(PRESET, volatile=("attempt",))),
    ("a body's limit", lambda: replace(PRESET, body_limit=0)),
    ("a body's limit", lambda: replace(PRESET, body_limit=26 * 1024 * 1024)),
    ("media types are written", lambda: replace(PRESET, media_types=("json",))),
    ("7 days or longer", lambda: replace(PRESET, remembers=timedelta(days=1))),
    ("signed whole", lambda: replace(PRESET, split=("",), schemes=(replace(SCHEME, signed=(Members(("/a",)),)),))),
    ("status from 200 to 299", lambda: Answers(new=500)),
    ("has a media type", lambda: Answers(body=b"[accepted]")),
    ("a handshake is one of", lambda: Handshake(kind="ping")),  # type: ignore[arg-type]
    ("requests a minute", lambda: Handshake(kind="cloudevents", rate=0)),
    ("a key is empty", lambda: Key("")),
    ("a key is empty", lambda: Key("  ")),
    ("times with an offset", lambda: Key("x", not_after=NOON.replace(tzinfo=None))),
    ("end after it begins", lambda: Key("x", not_before=NOON, not_after=NOON)),
]


@pytest.mark.parametrize(("said", "make"), WRONG, ids=[f"{index} {said}" for index, (said, _) in enumerate(WRONG)])
def test_what_is_written_wrongly_is_refused_with_the_right_form(said: str, make: Callable[[], object]) -> None:
    with pytest.raises(DeclarationError) as caught:
        make()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "value", [SCHEME, PRESET, Key("k"), Answers(), Header("A")], ids=lambda each: type(each).__name__
)
def test_what_is_written_rightly_is_frozen(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, "x")


def test_no_check_of_the_time_is_spelled_none() -> None:
    assert replace(SCHEME, timestamp=Header("x-time", "s"), tolerance=None).tolerance is None


def test_a_key_holds_from_its_first_instant_until_before_its_last() -> None:
    key = Key("k", not_before=NOON, not_after=NOON + timedelta(hours=1))
    assert [key.is_active(NOON + timedelta(minutes=each)) for each in (-1, 0, 59, 60)] == [False, True, True, False]


def test_endpoint_without_secret_refuses_to_start() -> None:
    unsigned = Scheme(algorithm="unsigned", tolerance=None)
    check_keys([unsigned], [])
    check_keys([SCHEME], [Key("k" * 20)])
    for keys in ([], [Key("changeme")], [Key("whsec_secret")], [Key(f"k{each}") for each in range(KEYS_MAX + 1)]):
        with pytest.raises(DeclarationError):
            check_keys([SCHEME], keys)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("whsec", "whsec_not base64"),
        ("whsec", "whsec_c2hvcnQ="),
        ("whpk", "whsec_c2hvcnQ="),
        ("hex", "xyz"),
        ("pem", "no"),
    ],
)
def test_a_key_that_is_not_written_as_the_scheme_says_is_refused_at_start(form: Any, text: str) -> None:
    algorithm: Any = {"whpk": "ed25519", "pem": "rsa-sha256"}.get(form, "hmac-sha256")
    with pytest.raises(DeclarationError, match="a key cannot be read: it is written as"):
        check_keys([replace(SCHEME, algorithm=algorithm, key_form=form, encoding="base64")], [Key(text)])


def test_a_key_is_not_shown() -> None:
    assert "hidden-text" not in repr(Key("hidden-text", name="first"))
