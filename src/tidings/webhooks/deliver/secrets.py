"""What an endpoint's requests are signed with: how a secret is written, made, followed by the next and kept.

Standard Webhooks names the forms: `whsec_` for HMAC, `whsk_` and `whpk_` for the halves of an Ed25519 key, all base64.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tidings.errors import InvalidConfigurationError, NotFoundError, RefusedError, TooManySecretsError
from tidings.webhooks import crypto
from tidings.webhooks.sealing import Draw

Kind = Literal["hmac", "ed25519"]
HMAC_PREFIX, PRIVATE_PREFIX, PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"
KEY_BYTES = 32
HMAC_BYTES_MIN, HMAC_BYTES_MAX = 24, 64
ALIVE_MAX = 5
GRACE_S = 86_400
GRACE_MAX_S = 604_800
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that can sign. `key`: the bytes of an HMAC's key, or the 32 of an Ed25519 seed; never shown."""

    kind: Kind
    key: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """How it is written for whoever may have it; for Ed25519 this is the private half, seed and public key."""
        if self.kind == "hmac":
            return HMAC_PREFIX + b64encode(self.key).decode()
        return PRIVATE_PREFIX + b64encode(self.key + crypto.ed25519_public(self.key)).decode()

    @property
    def public(self) -> str | None:
        """What receivers verify with, for Ed25519; an HMAC has no such half."""
        if self.kind == "hmac":
            return None
        return PUBLIC_PREFIX + b64encode(crypto.ed25519_public(self.key)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A secret as its endpoint holds it. `id`: names it among them. `sealed`: what the row keeps (see `sealing`).

    `since`, `until`: when it signs, in µs since 1970; only the newest has no end.
    """

    id: str
    sealed: str = field(repr=False)
    since: int
    until: int | None = None


def generated(kind: Kind, draw: Draw) -> Secret:
    """Return a new secret of 32 random bytes."""
    return Secret(kind, draw(KEY_BYTES))


def secret_of(text: str) -> Secret:
    """Return the secret that is written so. InvalidConfigurationError, which does not repeat it."""
    for prefix, kind in ((HMAC_PREFIX, "hmac"), (PRIVATE_PREFIX, "ed25519")):
        if text.startswith(prefix):
            return _of_key(kind, text.removeprefix(prefix))
    if text.startswith(PUBLIC_PREFIX):
        raise _invalid(f"{PUBLIC_PREFIX} is the public half, which cannot sign: give the half with {PRIVATE_PREFIX}")
    raise _invalid(f"expected {HMAC_PREFIX} or {PRIVATE_PREFIX} and base64")


def alive(held: Sequence[Held], *, now: int) -> tuple[Held, ...]:
    """Return the secrets that sign at this time, newest first."""
    living = [each for each in held if each.until is None or each.until > now]
    if len(living) < 2:
        return tuple(living)
    return tuple(sorted(living, key=lambda each: (each.until is None, each.since), reverse=True))


def rotated(held: Sequence[Held], new: Held, *, now: int, grace_s: int = GRACE_S) -> tuple[Held, ...]:
    """Return the secrets once `new` is the newest: the one before signs on for the grace, what has ended is left out.

    InvalidConfigurationError for a grace below 0 or above 7 days; TooManySecretsError.
    """
    if isinstance(grace_s, bool) or not 0 <= grace_s <= GRACE_MAX_S:
        why = f"expected whole seconds from 0 to {GRACE_MAX_S:,}"
        raise InvalidConfigurationError(f"grace_s: {why}", errors=[("/grace_s", why)])
    end = now + grace_s * SECOND_US
    before = [replace(each, until=end) if each.until is None else each for each in held]
    kept = (replace(new, since=now, until=None), *alive(before, now=now))
    if len(kept) > ALIVE_MAX:
        ends = min(each.until for each in kept if each.until is not None) - now
        hours = f"{ends / 3_600 / SECOND_US:.1f} hours"
        raise TooManySecretsError(f"{ALIVE_MAX} secrets are alive: revoke one, or wait {hours} until the first ends")
    return kept


def revoked(held: Sequence[Held], id: str, *, now: int) -> tuple[Held, ...]:
    """Return the secrets without the one of this id, from now on. NotFoundError; RefusedError for the newest.

    The newest is the only one without an end: without it the endpoint would soon have none.
    """
    living = alive(held, now=now)
    found = next((each for each in living if each.id == id), None)
    if found is None:
        raise NotFoundError("secret that signs", id, [each.id for each in living])
    if found.until is None:
        raise RefusedError(f"{id} is the newest secret: rotate first, with grace_s 0 if it must end at once")
    return tuple(each for each in living if each is not found)


def _of_key(kind: str, text: str) -> Secret:
    try:
        key = b64decode(text, validate=True)
    except (NoBase64, ValueError):
        raise _invalid("what follows the prefix is no base64 (RFC 4648, section 4, with padding)") from None
    if kind == "hmac":
        if not HMAC_BYTES_MIN <= len(key) <= HMAC_BYTES_MAX:
            raise _invalid(f"expected {HMAC_BYTES_MIN} to {HMAC_BYTES_MAX} bytes, not {len(key)}")
        return Secret("hmac", key)
    if len(key) not in (KEY_BYTES, 2 * KEY_BYTES):
        raise _invalid(f"expected the {KEY_BYTES} bytes of a seed, or {2 * KEY_BYTES} with its public key")
    seed, public = key[:KEY_BYTES], key[KEY_BYTES:]
    if public and crypto.ed25519_public(seed) != public:
        raise _invalid("the public key in it is not that of its seed")
    return Secret("ed25519", seed)


def _invalid(why: str) -> InvalidConfigurationError:
    return InvalidConfigurationError(f"secret: {why}", errors=[("/secret", why)])
