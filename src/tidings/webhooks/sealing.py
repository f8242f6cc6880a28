"""What is kept secret at rest: encrypted (AES-256-GCM) under a master key that is no part of the database.

Sealed bytes are `aes256gcm$KEY$NONCE$` and the ciphertext; where there is no master key, `plain$` and what was given.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from tidings.errors import SettingError
from tidings.webhooks import crypto

KEY_BYTES = 32
NONCE_BYTES = 12
KEYS_MAX = 8
SETTING = "TIDINGS_MASTER_KEY"
SEALED = "aes256gcm"
PLAIN = "plain"
_DIFFERENT_BYTES_MIN = 12
_HOW = f"expected {KEY_BYTES} random bytes in base64, such as `openssl rand -base64 {KEY_BYTES}` prints"

Draw = Callable[[int], bytes]
"""Returns so many random bytes: `Ports.random.randbytes`."""


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
            f"{SETTING} is not set, so that the secrets would be kept unencrypted: set it to the output "
            f"of `openssl rand -base64 {KEY_BYTES}`, and keep a copy outside of the database"
        )


def sealed_bytes(plain: bytes, keyring: Keyring, *, about: str, draw: Draw) -> bytes:
    """Return bytes in which a secret stands as a row may keep them: as they are where there is no master key."""
    if not keyring.keys:
        return PLAIN.encode() + b"$" + plain
    newest, nonce = keyring.keys[0], draw(NONCE_BYTES)
    hidden = crypto.encrypted(plain, newest.key, nonce=nonce, about=about_of(newest.id, about))
    return b"$".join((SEALED.encode(), newest.id.encode(), b64encode(nonce), hidden))


def opened_bytes(data: bytes, keyring: Keyring, *, about: str) -> bytes | None:
    """Return what `sealed_bytes` was given; None if that cannot be read any more."""
    kind, _, rest = data.partition(b"$")
    if kind == PLAIN.encode():
        return rest
    id, _, sealed = rest.partition(b"$")
    nonce, _, hidden = sealed.partition(b"$")
    master = keyring.find(id.decode("latin-1"))
    if master is None:
        return None
    try:
        return crypto.decrypted(hidden, master.key, nonce=b64decode(nonce), about=about_of(master.id, about))
    except ValueError:
        return None


def is_newest(text: str, keyring: Keyring) -> bool:
    """Say whether a sealed text need not be sealed again: the newest key sealed it, or there is none."""
    return not keyring.keys or text.startswith(f"{SEALED}${keyring.keys[0].id}$")


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


def about_of(key: str, about: str) -> bytes:
    """Return what is authenticated with what is sealed: under which key, and whose it is."""
    return f"{key}\0{about}".encode("utf-8", "surrogatepass")
