"""The door to `cryptography`: what judges never raises, and what is encrypted is opened by the same key alone."""

from __future__ import annotations

from typing import get_args

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tidings.webhooks.crypto import (
    Kind,
    decrypted,
    ed25519_public,
    encrypted,
    is_private_key,
    is_public_key,
    signature_of,
    verifies,
)

PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def pair(kind: Kind) -> tuple[bytes, bytes]:
    """Return a private key and its public half, as PEM."""
    made = {
        "ed25519": lambda: ed25519.Ed25519PrivateKey.generate(),
        "ecdsa-p256-sha256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "rsa-sha256": lambda: rsa.generate_private_key(65537, 2048),
    }[kind]()
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, made.public_key().public_bytes(*PEM)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_signature_is_that_of_one_key_and_one_content(kind: Kind) -> None:
    private, public = pair(kind)
    signature = signature_of(kind, private, b"content")
    assert verifies(kind, public, signature, b"content")
    assert not verifies(kind, public, signature, b"Content")
    assert not verifies(kind, public, signature[:-1], b"content")
    assert not verifies(kind, pair(kind)[1], signature, b"content")


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize(
    "key", [b"", b"x", b"\xff" * 32, b"-----BEGIN PUBLIC KEY-----", b"-----BEGIN CERTIFICATE-----"]
)
def test_what_is_no_key_verifies_nothing(kind: Kind, key: bytes) -> None:
    assert not verifies(kind, key, b"\x00" * 64, b"")
    assert not verifies(kind, key, b"", b"")


def test_a_key_of_another_kind_is_no_key() -> None:
    for kind in get_args(Kind):
        private, public = pair(kind)
        for other in get_args(Kind):
            assert is_public_key(other, public) == is_private_key(other, private) == (other == kind)


def test_a_short_rsa_key_is_no_key() -> None:
    short = rsa.generate_private_key(65537, 1024).public_key().public_bytes(*PEM)
    assert not is_public_key("rsa-sha256", short)


def test_who_signs_with_no_key_is_told() -> None:
    with pytest.raises(ValueError, match="no private key for ed25519"):
        signature_of("ed25519", b"short", b"")


def test_the_public_half_of_a_seed_verifies_what_the_seed_signed() -> None:
    seed = bytes(range(32))
    assert verifies("ed25519", ed25519_public(seed), signature_of("ed25519", seed, b"it"), b"it")


def test_what_is_encrypted_is_opened_by_the_same_key_nonce_and_name_alone() -> None:
    key, nonce = bytes(32), bytes(12)
    secret = encrypted(b"whsec_1", key, nonce=nonce, about=b"endpoint 1")
    assert b"whsec_1" not in secret
    assert decrypted(secret, key, nonce=nonce, about=b"endpoint 1") == b"whsec_1"
    assert decrypted(secret, b"1" * 32, nonce=nonce, about=b"endpoint 1") is None
    assert decrypted(secret, key, nonce=b"1" * 12, about=b"endpoint 1") is None
    assert decrypted(secret, key, nonce=nonce, about=b"endpoint 2") is None
    assert decrypted(secret[:-1], key, nonce=nonce, about=b"endpoint 1") is None
    assert decrypted(b"", b"no key", nonce=b"", about=b"") is None
