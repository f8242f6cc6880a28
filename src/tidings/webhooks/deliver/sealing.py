"""Secrets at rest: encrypted (AES-256-GCM) under a master key that is no part of the database.

A sealed secret is one line of text, `aes256gcm$KEY$NONCE$CIPHERTEXT`, in base64 but for the key's id; or, where there
is no master key, `plain$whsec_…`. So are the values of an endpoint's own headers, which may be secrets, and the secret
of its legacy signature.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tidings.errors import InvalidConfigurationError
from tidings.webhooks import crypto
from tidings.webhooks.deliver.answer import Failure
from tidings.webhooks.deliver.endpoint import Legacy
from tidings.webhooks.deliver.secrets import Held, Secret, alive, secret_of
from tidings.webhooks.sealing import NONCE_BYTES, PLAIN, SEALED, SETTING, Draw, Keyring, about_of


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A sealed secret that cannot be opened. `why`: one line for the operator, without anything secret."""

    why: str


Opening: TypeAlias = Callable[[str], Secret | Unreadable]
"""`opened`, with the keys and what it is about."""


def sealed(secret: Secret, keyring: Keyring, *, about: str, draw: Draw) -> str:
    """Return the text that a row may keep. `about`: whose secret it is, without which it cannot be opened."""
    return _sealed(secret.text, keyring, about=about, draw=draw)


def opened(text: str, keyring: Keyring, *, about: str) -> Secret | Unreadable:
    """Return the secret of a sealed text, or why it cannot be read; nothing is raised, whatever the text is."""
    found = _opened(text, keyring, about=about)
    return found if isinstance(found, Unreadable) else _read(found)


def sealed_headers(headers: Mapping[str, str], keyring: Keyring, *, endpoint: str, draw: Draw) -> dict[str, str]:
    """Return an endpoint's own headers as a row may keep them: their values may be secrets."""
    return {name: _sealed(value, keyring, about=_header(endpoint, name), draw=draw) for name, value in headers.items()}


def opened_headers(headers: Mapping[str, str], keyring: Keyring, *, endpoint: str) -> dict[str, str] | Unreadable:
    """Return what `sealed_headers` was given, or why one of them cannot be read. One that is not sealed is older."""
    found: dict[str, str] = {}
    for name, text in headers.items():
        value: str | Unreadable = text
        if text.startswith((f"{PLAIN}$", f"{SEALED}$")):
            value = _opened(text, keyring, about=_header(endpoint, name))
        if isinstance(value, Unreadable):
            return Unreadable(f"the header {name}: {value.why}")
        found[name] = value
    return found


def sealed_legacy(legacy: Legacy | None, keyring: Keyring, *, endpoint: str, draw: Draw) -> Legacy | None:
    """Return a legacy signature with its secret as a row may keep it."""
    if legacy is None:
        return None
    return replace(legacy, secret=_sealed(legacy.secret, keyring, about=_legacy(endpoint), draw=draw))


def opened_legacy(legacy: Legacy | None, keyring: Keyring, *, endpoint: str) -> Legacy | Unreadable | None:
    """Return what `sealed_legacy` was given, or why its secret cannot be read."""
    if legacy is None:
        return None
    secret = _opened(legacy.secret, keyring, about=_legacy(endpoint))
    if isinstance(secret, Unreadable):
        return Unreadable(f"the secret of legacy: {secret.why}")
    return replace(legacy, secret=secret)


def _legacy(endpoint: str) -> str:
    return f"{endpoint} legacy secret"  # no header's name has a space


def _header(endpoint: str, name: str) -> str:
    return f"{endpoint} {name.lower()}"


def _sealed(text: str, keyring: Keyring, *, about: str, draw: Draw) -> str:
    if not keyring.keys:
        return f"{PLAIN}${text}"
    newest = keyring.keys[0]
    nonce = draw(NONCE_BYTES)
    hidden = crypto.encrypted(text.encode(), newest.key, nonce=nonce, about=about_of(newest.id, about))
    return "$".join((SEALED, newest.id, b64encode(nonce).decode(), b64encode(hidden).decode()))


def _opened(text: str, keyring: Keyring, *, about: str) -> str | Unreadable:
    kind, _, rest = text.partition("$")
    if kind == PLAIN:
        return rest
    parts = rest.split("$")
    if kind != SEALED or len(parts) != 3:
        return Unreadable("it is in no form that is known here: it was written by another release, or changed")
    master = keyring.find(parts[0])
    if master is None:
        return Unreadable(f"it is sealed under the master key {parts[0][:16]!r}, which {SETTING} does not hold")
    try:
        nonce, hidden = (b64decode(part, validate=True) for part in parts[1:])
    except ValueError:
        return Unreadable("it was changed since it was sealed")
    plain = crypto.decrypted(hidden, master.key, nonce=nonce, about=about_of(master.id, about))
    if plain is None:
        return Unreadable("it was changed since it was sealed, or belongs to another endpoint")
    return plain.decode("utf-8", "replace")


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


def _read(text: str) -> Secret | Unreadable:
    try:
        return secret_of(text)
    except InvalidConfigurationError:
        return Unreadable("what it holds is no secret that can sign")
