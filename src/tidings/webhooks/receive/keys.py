"""Keys: what they are written as, when they hold, and the bytes that sign or verify."""

from __future__ import annotations

import binascii
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tidings.errors import DeclarationError
from tidings.webhooks import crypto
from tidings.webhooks.receive.scheme import KeyForm, Scheme

KEYS_MAX = 8
_PEM = "-----BEGIN "
_EXAMPLES = frozenset({"secret", "changeme", "change-me", "example", "password", "test", "token", "your-secret", "xxx"})
_FORMS = {
    "text": "text",
    "base64": "base64 with padding",
    "whsec": "`whsec_` and base64 of 16 to 256 bytes",
    "whpk": "`whpk_` and base64 of the 32 bytes of an Ed25519 public key",
    "hex": "hex digits",
    "pem": "a PEM public key or certificate",
    "cert-url": "the PEM of a certificate, with its URL as the key's name",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A secret or public key as it is written, and from when until before when it holds (None: no bound).

    `name`: what names it in requests and answers, such as the URL of a certificate; no secret.
    """

    text: str = field(repr=False)
    name: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise DeclarationError("a key is empty: give the secret that the provider shows")
        if any(bound is not None and bound.tzinfo is None for bound in (self.not_before, self.not_after)):
            raise DeclarationError("a key holds from and until times with an offset, such as 2026-05-04T00:00:00Z")
        if self.not_before and self.not_after and self.not_before >= self.not_after:
            raise DeclarationError("a key must end after it begins: look at not_before and not_after")

    def is_active(self, now: datetime) -> bool:
        """Say whether it holds at this time: `not_before` is its first instant, `not_after` the first without it."""
        return (self.not_before is None or self.not_before <= now) and (self.not_after is None or now < self.not_after)


def check_keys(schemes: Sequence[Scheme], keys: Sequence[Key]) -> None:
    """Refuse, at start, keys with which nothing could be verified, or which anybody would guess.

    DeclarationError for none at all, for more than `KEYS_MAX`, for a key that no scheme can use, for a well-known one,
    and for one with whitespace around it.
    """
    needing = [scheme for scheme in schemes if scheme.algorithm != "unsigned"]
    if not needing:
        return
    if not keys:
        raise DeclarationError('a receiver needs a secret: give it one, or write algorithm="unsigned" out')
    if len(keys) > KEYS_MAX:
        raise DeclarationError(
            f"{len(keys)} keys are more than the {KEYS_MAX} that are tried: drop those that no longer hold"
        )
    for key in keys:
        if key.text != key.text.strip() and _PEM not in key.text:
            raise DeclarationError("a key has a space or a line end around it: it was read from a file as it stands")
        if not key.text.removeprefix("whsec_"):
            raise DeclarationError("a key is empty: give the secret that the provider shows")
        if key.text.lower().removeprefix("whsec_") in _EXAMPLES:
            raise DeclarationError("a key is an example that everybody knows: give the secret that the provider shows")
        if all(verifying(scheme, key) is None for scheme in needing):
            forms = " or ".join(dict.fromkeys(_FORMS[scheme.key_form] for scheme in needing))
            raise DeclarationError(f"a key cannot be read: it is written as {forms}")


def verifying(scheme: Scheme, key: Key) -> bytes | None:
    """Return the bytes that verify signatures of this scheme; None if the key is not written as the scheme says."""
    material, kind = _decoded(scheme.key_form, key.text), kind_of(scheme)
    return material if material is None or kind is None or crypto.is_public_key(kind, material) else None


def kind_of(scheme: Scheme) -> crypto.Kind | None:
    """Return which kind of two keys the scheme's signatures are made with; None if with one secret, or with none."""
    match scheme.algorithm:
        case "ed25519" | "ecdsa-p256-sha256" | "rsa-sha256" as kind:
            return kind
        case _:
            return None


def signing(scheme: Scheme, key: Key) -> bytes:
    """Return the bytes that sign in this scheme: of two keys the private one, written as the public one would be.

    An Ed25519 key may be written `whsk_`, base64 of the seed or of seed and public key. DeclarationError if the key
    cannot sign.
    """
    text, kind = key.text, kind_of(scheme)
    is_whsk = kind == "ed25519" and text.startswith("whsk_")  # elsewhere a secret may happen to begin so
    material = _decoded("base64", text[5:]) if is_whsk else _decoded(scheme.key_form, text)
    if material is not None and kind == "ed25519" and len(material) == 64:
        material = material[:32]
    if material is None or (kind is not None and not crypto.is_private_key(kind, material)):
        raise DeclarationError(
            f"this key cannot sign as {scheme.algorithm}: it is written as {_FORMS[scheme.key_form]}"
        )
    return material


def _decoded(form: KeyForm, text: str) -> bytes | None:
    try:
        match form:
            case "hex":
                return binascii.unhexlify(text)
            case "base64":
                return from_base64(text)
            case "whsec":
                return _whsec(text)
            case "whpk":
                return from_base64(text[5:]) if text.startswith("whpk_") else None
            case _:
                return text.encode()
    except ValueError:
        return None


def _whsec(text: str) -> bytes | None:
    if text.startswith(("whpk_", "whsk_")):
        return None
    material = from_base64(text.removeprefix("whsec_"))
    return material if material and 16 <= len(material) <= 256 else None


def from_base64(text: str | bytes) -> bytes | None:
    """Return the bytes of the one base64 spelling (RFC 4648 section 4, padding required) of them; else None."""
    try:
        raw = text.encode("ascii") if isinstance(text, str) else text
        found = binascii.a2b_base64(raw, strict_mode=True)
    except ValueError:
        return None
    return found if b64encode(found) == raw else None
