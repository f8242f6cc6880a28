from __future__ import annotations

import random
from base64 import b64decode, b64encode
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import SettingError
from tidings.webhooks.deliver.answer import Failure
from tidings.webhooks.deliver.outcome import decide
from tidings.webhooks.deliver.sealing import Unreadable, opened, sealed, signers
from tidings.webhooks.deliver.secrets import Held, Secret, generated
from tidings.webhooks.sealing import check_keyring, is_newest, keyring_of

DRAW = random.Random(1).randbytes
OLD, NEW = (b64encode(random.Random(seed).randbytes(32)).decode() for seed in (2, 3))
BOTH = keyring_of(f"{NEW}, {OLD}")
OPENING = partial(opened, keyring=BOTH, about="ep_1")
SECRET = generated("hmac", DRAW)


def test_a_secret_is_sealed_and_opened() -> None:
    for secret in (SECRET, generated("ed25519", DRAW)):
        text = sealed(secret, BOTH, about="ep_1", draw=DRAW)
        assert opened(text, BOTH, about="ep_1") == secret


def test_what_is_sealed_shows_nothing_and_names_its_key() -> None:
    text = sealed(SECRET, BOTH, about="ep_1", draw=DRAW)
    assert text.split("$")[:2] == ["aes256gcm", BOTH.keys[0].id]
    assert SECRET.text not in text
    assert b64decode(text.split("$")[3]) != SECRET.text.encode()
    assert text != sealed(SECRET, BOTH, about="ep_1", draw=DRAW)


def test_the_newest_key_seals_and_older_ones_open() -> None:
    before = sealed(SECRET, keyring_of(OLD), about="ep_1", draw=DRAW)
    assert opened(before, BOTH, about="ep_1") == SECRET
    assert not is_newest(before, BOTH)
    assert is_newest(sealed(SECRET, BOTH, about="ep_1", draw=DRAW), BOTH)


def test_a_key_that_was_taken_away_leaves_an_unreadable_secret() -> None:
    text = sealed(SECRET, keyring_of(OLD), about="ep_1", draw=DRAW)
    found = opened(text, keyring_of(NEW), about="ep_1")
    assert isinstance(found, Unreadable)
    assert "TIDINGS_MASTER_KEY does not hold" in found.why
    assert isinstance(opened(text, keyring_of(None), about="ep_1"), Unreadable)


def test_a_secret_of_another_endpoint_cannot_be_put_in_its_place() -> None:
    assert isinstance(opened(sealed(SECRET, BOTH, about="ep_1", draw=DRAW), BOTH, about="ep_2"), Unreadable)


def test_without_a_master_key_secrets_are_plain_and_only_a_local_server_takes_that() -> None:
    text = sealed(SECRET, keyring_of(""), about="ep_1", draw=DRAW)
    assert text == f"plain${SECRET.text}"
    assert opened(text, BOTH, about="ep_1") == SECRET
    assert not is_newest(text, BOTH)
    check_keyring(keyring_of(None), is_local=True)
    check_keyring(BOTH, is_local=False)
    with pytest.raises(SettingError, match=r"TIDINGS_MASTER_KEY is not set.*openssl rand"):
        check_keyring(keyring_of(None), is_local=False)


@pytest.mark.parametrize(
    "text", ["changeme", "x" * 44, b64encode(bytes(32)).decode(), b64encode(b"k" * 32).decode(), OLD[:-4], f"{OLD},",
             f"{OLD},{OLD}", b64encode(random.Random(4).randbytes(16)).decode(), "é", " "],
)  # fmt: skip
def test_a_master_key_is_32_random_bytes(text: str) -> None:
    with pytest.raises(SettingError, match="TIDINGS_MASTER_KEY") as caught:
        keyring_of(text)
    assert OLD not in str(caught.value)


def held(id: str, text: str, since: int, until: int | None = None) -> Held:
    return Held(id=id, sealed=text, since=since, until=until)


def test_the_secrets_that_sign_are_opened_newest_first() -> None:
    old, new, past = (generated("hmac", DRAW) for _ in range(3))
    texts = [sealed(each, BOTH, about="ep_1", draw=DRAW) for each in (old, new, past)]
    row = (held("k2", texts[0], 1, 100), held("k1", texts[2], 0, 50), held("k3", texts[1], 2))
    assert signers(row, OPENING, now=50) == (new, old)
    assert signers(row, OPENING, now=100) == (new,)


def test_one_unreadable_secret_stops_the_endpoint() -> None:
    row = (held("k1", sealed(SECRET, BOTH, about="ep_1", draw=DRAW), 1, 9), held("k2", "changed", 2))
    found = signers(row, OPENING, now=5)
    assert isinstance(found, Failure)
    assert (found.kind, "k2" in found.error) == ("secret-unreadable", True)
    decision = decide(found, attempt=1, now=5, draw=0.5)
    assert (decision.state, decision.effects.pause) == ("dead", "secret-unreadable")
    nothing = signers((), OPENING, now=5)
    assert isinstance(nothing, Failure)
    assert nothing.kind == "secret-unreadable"


def test_keys_are_not_shown() -> None:
    assert NEW not in repr(BOTH)
    assert repr(b64decode(NEW)) not in repr(BOTH)


@given(st.text(max_size=100) | st.text(max_size=60).map(lambda rest: f"aes256gcm${BOTH.keys[0].id}${rest}$AAAA"))
def test_reading_what_is_no_sealed_secret_raises_nothing(text: str) -> None:
    assert isinstance(opened(text, BOTH, about="ep_1"), Unreadable)


@given(st.data(), st.binary(min_size=32, max_size=32))
def test_one_changed_character_makes_it_unreadable(data: st.DataObject, key: bytes) -> None:
    text = sealed(Secret("hmac", key), BOTH, about="ep_1", draw=DRAW)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABab01+/$=").filter(lambda each: each != text[place]))
    assert isinstance(opened(text[:place] + other + text[place + 1 :], BOTH, about="ep_1"), Unreadable)
