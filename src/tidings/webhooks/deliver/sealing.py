"""Secrets at rest: encrypted (AES-256-GCM) under a master key that is no part of the database.

A sealed secret is one line of text, `aes256gcm$KEY$NONCE$CIPHERTEXT`, in base64 but for the key's id; or, where there
is no master key, `plain$whsec_…`.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tidings.errors import InvalidConfigurationError, SettingError
from tidings.webhooks import crypto
from tidings.webhooks.deliver.answer import Failure
from tidings.webhooks.deliver.secrets import Draw, Held, Secret, alive, secret_of

KEY_BYTES = 32
NONCE_BYTES = 12
KEYS_MAX = 8
SETTING = "TIDINGS_MASTER_KEY"
_SEALED = "aes256gcm"
_PLAIN = "plain"
_DIFFERENT_BYTES_MIN = 12
_HOW = f"expected {KEY_BYTES} random bytes in base64, such as `openssl rand -base64 {KEY_BYTES}` prints"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """`id`: eight hex digits that follow from the key, by which a sealed secret names it."""

    id: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The master keys, newest first. The newest seals; each opens what it sealed. Empty: secrets are kept plain."""

    keys: tuple[MasterKey, ...] = ()

    def find(self, id: str) -> MasterKey | None:
        return next((each for each in self.keys if each.id == id), None)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A sealed secret that cannot be opened. `why`: one line for the operator, without anything secret."""

    why: str


Opening: TypeAlias = Callable[[str], Secret | Unreadable]
"""`opened`, with the keys and what it is about."""


def keyring_of(text: str | None) -> Keyring:
    """Return the keys of the setting: base64, newest first, joined by commas; no text, no keys. SettingError."""
    if not text:
        return Keyring()
    keys = tuple(_key_of(each.strip()) for each in text.split(","))
    if len(keys) > KEYS_MAX:
        raise SettingError(f"{SETTING}: at most {KEYS_MAX} keys; take out those under which nothing is sealed any more")
    if len({each.id for each in keys}) < len(keys):
        raise SettingError(f"{SETTING}: a key stands there twice")
    return Keyring(keys)


def check_keyring(keyring: Keyring, *, is_local: bool) -> None:
    """Refuse to keep secrets plain on a server that others can reach. SettingError, with what to set."""
    if not keyring.keys and not is_local:
        raise SettingError(
            f"{SETTING} is not set, so that the secrets of endpoints would be kept unencrypted: set it to the output "
            f"of `openssl rand -base64 {KEY_BYTES}`, and keep a copy outside of the database"
        )


def sealed(secret: Secret, keyring: Keyring, *, about: str, draw: Draw) -> str:
    """Return the text that a row may keep. `about`: whose secret it is, without which it cannot be opened."""
    if not keyring.keys:
        return f"{_PLAIN}${secret.text}"
    newest = keyring.keys[0]
    nonce = draw(NONCE_BYTES)
    hidden = crypto.encrypted(secret.text.encode(), newest.key, nonce=nonce, about=_about(newest.id, about))
    return "$".join((_SEALED, newest.id, b64encode(nonce).decode(), b64encode(hidden).decode()))


def opened(text: str, keyring: Keyring, *, about: str) -> Secret | Unreadable:
    """Return the secret of a sealed text, or why it cannot be read; nothing is raised, whatever the text is."""
    kind, _, rest = text.partition("$")
    if kind == _PLAIN:
        return _read(rest)
    parts = rest.split("$")
    if kind != _SEALED or len(parts) != 3:
        return Unreadable("it is in no form that is known here: it was written by another release, or changed")
    master = keyring.find(parts[0])
    if master is None:
        return Unreadable(f"it is sealed under the master key {parts[0][:16]!r}, which {SETTING} does not hold")
    try:
        nonce, hidden = (b64decode(part, validate=True) for part in parts[1:])
    except ValueError:
        return Unreadable("it was changed since it was sealed")
    plain = crypto.decrypted(hidden, master.key, nonce=nonce, about=_about(master.id, about))
    if plain is None:
        return Unreadable("it was changed since it was sealed, or belongs to another endpoint")
    return _read(plain.decode("utf-8", "replace"))


def sealed_bytes(plain: bytes, keyring: Keyring, *, about: str, draw: Draw) -> bytes:
    """Return bytes in which a secret stands as a row may keep them: as they are where there is no master key."""
    if not keyring.keys:
        return _PLAIN.encode() + b"$" + plain
    newest, nonce = keyring.keys[0], draw(NONCE_BYTES)
    hidden = crypto.encrypted(plain, newest.key, nonce=nonce, about=_about(newest.id, about))
    return b"$".join((_SEALED.encode(), newest.id.encode(), b64encode(nonce), hidden))


def opened_bytes(data: bytes, keyring: Keyring, *, about: str) -> bytes | None:
    """Return what `sealed_bytes` was given; None if that cannot be read any more."""
    kind, _, rest = data.partition(b"$")
    if kind == _PLAIN.encode():
        return rest
    id, nonce, hidden = rest.split(b"$", 2)
    master = keyring.find(id.decode())
    if master is None:
        return None
    return crypto.decrypted(hidden, master.key, nonce=b64decode(nonce), about=_about(master.id, about))


def signers(held: Sequence[Held], opening: Opening, *, now: int) -> tuple[Secret, ...] | Failure:
    """Return the secrets that sign at this time, newest first; a failure if one cannot be read, or there is none.

    A receiver may know only the one that cannot be read, so that the others alone would not do.
    """
    found: list[Secret] = []
    for each in alive(held, now=now):
        secret = opening(each.sealed)
        if isinstance(secret, Unreadable):
            return Failure(kind="secret-unreadable", error=f"the secret {each.id}: {secret.why}")
        found.append(secret)
    return tuple(found) or Failure(kind="secret-unreadable", error="there is no secret to sign with: rotate")


def is_newest(text: str, keyring: Keyring) -> bool:
    """Say whether a sealed text need not be sealed again: the newest key sealed it, or there is none."""
    return not keyring.keys or text.startswith(f"{_SEALED}${keyring.keys[0].id}$")


def _read(text: str) -> Secret | Unreadable:
    try:
        return secret_of(text)
    except InvalidConfigurationError:
        return Unreadable("what it holds is no secret that can sign")


def _key_of(text: str) -> MasterKey:
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        raise SettingError(f"{SETTING}: {_HOW}") from None
    if len(key) != KEY_BYTES:
        raise SettingError(f"{SETTING}: {_HOW}, not {len(key)} bytes")
    if len(set(key)) < _DIFFERENT_BYTES_MIN:
        raise SettingError(f"{SETTING}: these bytes were not drawn at random; {_HOW}")
    return MasterKey(hashlib.sha256(b"tidings master key\0" + key).hexdigest()[:8], key)


def _about(key: str, about: str) -> bytes:
    return f"{key}\0{about}".encode("utf-8", "surrogatepass")
