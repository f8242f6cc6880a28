from __future__ import annotations

import random
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import InvalidConfigurationError, NotFoundError, RefusedError, TooManySecretsError
from tidings.webhooks.deliver.secrets import Held, Kind, Secret, alive, generated, revoked, rotated, secret_of

DAY = 86_400
NOW = 1_800_000_000_000_000
SECOND = 1_000_000
SEED = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="


def base64(size: int) -> str:
    return b64encode(bytes(range(size))).decode()


def turned(*ids: str, every: int = 0, grace_s: int = DAY) -> tuple[Held, ...]:
    held: tuple[Held, ...] = ()
    for number, id in enumerate(ids):
        new = Held(id=id, sealed=f"sealed-{id}", since=0)
        held = rotated(held, new, now=NOW + number * every * SECOND, grace_s=grace_s)
    return held


def ids(held: tuple[Held, ...]) -> list[str]:
    return [each.id for each in held]


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
def test_a_secret_is_written_and_read(kind: Kind) -> None:
    secret = generated(kind, random.Random(7).randbytes)
    assert secret_of(secret.text) == secret
    assert len(secret.key) == 32
    assert secret == generated(kind, random.Random(7).randbytes)
    assert secret != generated(kind, random.Random(8).randbytes)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_an_hmac_has_24_to_64_bytes(size: int) -> None:
    assert secret_of(f"whsec_{base64(size)}") == Secret("hmac", bytes(range(size)))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected whsec_"),
        ("secret", "expected whsec_"),
        (f"whsec_{base64(23)}", "23"),
        (f"whsec_{base64(65)}", "65"),
        ("whsec_", "0"),
        ("whsec_canary!canary!", "base64"),
        (f"whsec_{base64(32)[:-1]}", "base64"),
        (f"whsk_{base64(31)}", "32 bytes"),
        (f"whsk_{base64(64)}", "not that of its seed"),
        (f"whpk_{base64(32)}", "public half"),
        ("whsec_é", "base64"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=why) as caught:
        secret_of(text)
    assert [where for where, _ in caught.value.errors] == ["/secret"]
    assert "canary" not in str(caught.value)


def test_a_seed_may_come_without_its_public_key() -> None:
    whole = secret_of(SEED)
    assert secret_of(f"whsk_{b64encode(whole.key).decode()}") == whole
    assert whole.text == SEED


def test_a_secret_is_not_shown() -> None:
    secret = Secret("hmac", b"canary" * 5)
    held = Held(id="k1", sealed="canary", since=0)
    assert "canary" not in repr(secret) + str(secret) + repr(held)


def test_the_old_secret_signs_on_for_the_grace() -> None:
    held = turned("k1", "k2", every=0)
    assert ids(alive(held, now=NOW)) == ["k2", "k1"]
    assert held[0].until is None
    assert held[1].until == NOW + DAY * SECOND
    assert ids(alive(held, now=NOW + DAY * SECOND - 1)) == ["k2", "k1"]
    assert ids(alive(held, now=NOW + DAY * SECOND)) == ["k2"]


def test_without_a_grace_the_old_secret_ends_at_once() -> None:
    assert ids(turned("k1", "k2", grace_s=0)) == ["k2"]


def test_a_second_rotation_does_not_lengthen_the_first_grace() -> None:
    held = turned("k1", "k2", "k3", every=3_600)
    assert [each.until for each in held] == [None, NOW + (7_200 + DAY) * SECOND, NOW + (3_600 + DAY) * SECOND]


@pytest.mark.parametrize("grace_s", [-1, 604_801, True])
def test_a_grace_is_at_most_seven_days(grace_s: int) -> None:
    with pytest.raises(InvalidConfigurationError, match="604,800"):
        turned("k1", "k2", grace_s=grace_s)
    assert ids(turned("k1", "k2", grace_s=604_800)) == ["k2", "k1"]


def test_five_secrets_at_most_are_alive() -> None:
    held = turned("k1", "k2", "k3", "k4", "k5", every=60)
    assert ids(held) == ["k5", "k4", "k3", "k2", "k1"]
    new = Held(id="k6", sealed="x", since=0)
    with pytest.raises(TooManySecretsError, match=r"revoke one, or wait 24\.0 hours"):
        rotated(held, new, now=NOW + 60 * SECOND)
    assert ids(rotated(revoked(held, "k3", now=NOW), new, now=NOW)) == ["k6", "k5", "k4", "k2", "k1"]
    assert ids(rotated(held, new, now=NOW + 3 * DAY * SECOND)) == ["k6", "k5"]


def test_the_last_secret_is_never_revoked() -> None:
    for held in (turned("k1"), turned("k0", "k1")):
        with pytest.raises(RefusedError, match="rotate first"):
            revoked(held, "k1", now=NOW)


def test_an_old_secret_is_revoked_at_once() -> None:
    assert ids(revoked(turned("k1", "k2"), "k1", now=NOW)) == ["k2"]


@pytest.mark.parametrize("id", ["k1", "k9"])
def test_what_has_ended_or_never_was_cannot_be_revoked(id: str) -> None:
    with pytest.raises(NotFoundError, match="k2"):
        revoked(turned("k1", "k2"), id, now=NOW + 2 * DAY * SECOND)


@given(st.lists(st.tuples(st.integers(0, 2 * DAY), st.integers(0, 604_800), st.booleans()), max_size=30))
def test_there_is_always_one_newest_secret_and_never_more_than_five(steps: list[tuple[int, int, bool]]) -> None:
    held, now = turned("k0"), NOW
    for number, (seconds, grace_s, is_revoking) in enumerate(steps, 1):
        now += seconds * SECOND
        try:
            if is_revoking:
                held = revoked(held, alive(held, now=now)[-1].id, now=now)
            else:
                held = rotated(held, Held(id=f"k{number}", sealed="", since=0), now=now, grace_s=grace_s)
        except RefusedError:
            pass
        living = alive(held, now=now)
        assert 1 <= len(living) <= 5
        assert [each.until for each in living].index(None) == 0
        assert [each.until for each in held].count(None) == 1
