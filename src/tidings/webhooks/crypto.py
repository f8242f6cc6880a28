"""The one door to `cryptography`: signatures with two keys, and what is encrypted at rest. HMACs need no door.

What judges is total: a signature that is too short, a key of another kind or no key at all is a no, never an exception.
What signs or encrypts takes our own keys, and raises ValueError if they are none.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Kind = Literal["ed25519", "ecdsa-p256-sha256", "rsa-sha256"]
"""Ed25519 (RFC 8032), ECDSA over P-256 with SHA-256 and a DER signature (RFC 3279), RSA PKCS #1 v1.5 (RFC 8017)."""

_Public = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
_Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_SHA256 = hashes.SHA256()
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_PEM = b"-----BEGIN "
_RSA_BITS_MIN = 2048


def is_public_key(kind: Kind, key: bytes) -> bool:
    """Say whether these are a public key of this kind: 32 raw bytes of Ed25519, DER, PEM, or a PEM certificate."""
    return _public(kind, key) is not None


def is_private_key(kind: Kind, key: bytes) -> bool:
    """Say whether these bytes are a private key of this kind: the 32 bytes of an Ed25519 seed, DER or PEM."""
    try:
        _private(kind, key)
    except ValueError:
        return False
    return True


def verifies(kind: Kind, key: bytes, signature: bytes, content: bytes) -> bool:
    """Say whether the owner of this public key signed the content."""
    public = _public(kind, key)
    try:
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, content)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, content, ec.ECDSA(_SHA256))
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, content, padding.PKCS1v15(), _SHA256)
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


def signature_of(kind: Kind, key: bytes, content: bytes) -> bytes:
    """Return the signature of the content by this private key; ValueError if it is none of this kind."""
    private = _private(kind, key)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(content)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(content, ec.ECDSA(_SHA256))
    return private.sign(content, padding.PKCS1v15(), _SHA256)


def ed25519_public(seed: bytes) -> bytes:
    """Return the 32 bytes of the public key of a seed of 32 bytes."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def encrypted(plain: bytes, key: bytes, *, nonce: bytes, about: bytes) -> bytes:
    """Return the ciphertext and tag (AES-256-GCM, NIST SP 800-38D); the tag also covers `about`.

    `key`: 32 bytes. `nonce`: 12 bytes that are never used again with this key.
    """
    return AESGCM(key).encrypt(nonce, plain, about)


def decrypted(secret: bytes, key: bytes, *, nonce: bytes, about: bytes) -> bytes | None:
    """Return what `encrypted` was given; None if any of these is another one, or a bit of them changed."""
    try:
        return AESGCM(key).decrypt(nonce, secret, about)
    except (InvalidTag, ValueError):
        return None


@lru_cache(maxsize=256)
def _public(kind: Kind, key: bytes) -> _Public | None:
    try:
        loaded = _loaded_public(kind, key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return loaded if _is_kind(kind, loaded) else None  # type: ignore[return-value]  # _is_kind says which


def _loaded_public(kind: Kind, key: bytes) -> object:
    if kind == "ed25519" and len(key) == 32:
        return ed25519.Ed25519PublicKey.from_public_bytes(key)
    if _CERTIFICATE in key:
        from cryptography import x509  # here, since it takes 1.5 MB and most have no certificates

        return x509.load_pem_x509_certificate(key).public_key()
    if _PEM in key:
        return serialization.load_pem_public_key(key)
    return serialization.load_der_public_key(key)


def _is_kind(kind: Kind, key: object) -> bool:
    match key:
        case ed25519.Ed25519PublicKey() | ed25519.Ed25519PrivateKey():
            return kind == "ed25519"
        case ec.EllipticCurvePublicKey() | ec.EllipticCurvePrivateKey():
            return kind == "ecdsa-p256-sha256" and isinstance(key.curve, ec.SECP256R1)
        case rsa.RSAPublicKey() | rsa.RSAPrivateKey():
            return kind == "rsa-sha256" and key.key_size >= _RSA_BITS_MIN
        case _:
            return False


def _private(kind: Kind, key: bytes) -> _Private:
    loaded: object = None
    try:
        if kind == "ed25519" and len(key) == 32:
            loaded = ed25519.Ed25519PrivateKey.from_private_bytes(key)
        elif _PEM in key:
            loaded = serialization.load_pem_private_key(key, password=None)
        else:
            loaded = serialization.load_der_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        loaded = None
    if not _is_kind(kind, loaded):
        raise ValueError(f"this is no private key for {kind}")
    return loaded  # type: ignore[return-value]  # _is_kind says which
