from __future__ import annotations

import random
from base64 import b64encode

import pytest

from tidings.webhooks.sealing import Keyring, keyring_of, opened_bytes, sealed_bytes

DRAW = random.Random(1).randbytes
OLD, NEW = (b64encode(random.Random(seed).randbytes(32)).decode() for seed in (2, 3))
BOTH = keyring_of(f"{NEW},{OLD}")
PLAIN = b'{"secret":"a$b"}'


def test_bytes_are_sealed_and_opened_also_under_an_older_key() -> None:
    for keyring in (BOTH, keyring_of(OLD)):
        kept = sealed_bytes(PLAIN, keyring, about="till", draw=DRAW)
        assert PLAIN not in kept
        assert opened_bytes(kept, BOTH, about="till") == PLAIN


def test_without_a_master_key_bytes_are_kept_as_they_are() -> None:
    assert opened_bytes(sealed_bytes(PLAIN, Keyring(), about="till", draw=DRAW), BOTH, about="till") == PLAIN


@pytest.mark.parametrize("kept", [b"", b"aes256gcm", b"aes256gcm$", b"\xff$\xff$\xff", b"other$thing"])
def test_what_was_never_sealed_is_not_opened(kept: bytes) -> None:
    assert opened_bytes(kept, BOTH, about="till") is None


def test_what_was_changed_or_is_of_another_is_not_opened() -> None:
    kept = sealed_bytes(PLAIN, BOTH, about="till", draw=DRAW)
    assert opened_bytes(kept, BOTH, about="another") is None
    assert opened_bytes(kept, keyring_of(OLD), about="till") is None
    assert opened_bytes(kept[:-1] + bytes([kept[-1] ^ 1]), BOTH, about="till") is None
    assert opened_bytes(kept.replace(b"$", b"$=", 2), BOTH, about="till") is None
