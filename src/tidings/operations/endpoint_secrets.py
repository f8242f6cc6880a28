"""What an endpoint signs with: made, exchanged and taken away. Nothing here is kept: what is returned is to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from msgspec import structs

from tidings.errors import InvalidConfigurationError
from tidings.operations.endpoint_shown import Shown
from tidings.ports import Ports
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver import secrets
from tidings.webhooks.deliver.endpoint import Endpoint
from tidings.webhooks.deliver.records import secrets_of, secrets_to_bytes
from tidings.webhooks.deliver.sealing import (
    Unreadable,
    opened,
    opened_legacy,
    sealed,
    sealed_headers,
    sealed_legacy,
)
from tidings.webhooks.deliver.secrets import Held, Secret
from tidings.webhooks.sealing import Keyring


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An endpoint with the secret that was made for it, which nobody can see again. `public`: of an Ed25519 key."""

    endpoint: Shown
    secret_id: str
    secret: str = field(repr=False)
    public: str | None = None


class New(NamedTuple):
    """A new secret, in clear and as it is kept."""

    key: Secret
    held: Held

    def made(self, endpoint: Shown) -> Made:
        """Return it in clear with its endpoint, as it is shown this once."""
        return Made(endpoint=endpoint, secret_id=self.held.id, secret=self.key.text, public=self.key.public)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Makes secrets, and seals them and what else of a configuration is secret under the keyring."""

    ports: Ports
    keyring: Keyring

    def first(self, endpoint: str, *, text: str | None, kind: secrets.Kind, now: int) -> New:
        """Return the secret of a new endpoint. `text`: None for one that is drawn, of this kind."""
        return self._new(endpoint, (), text=text, kind=kind, now=now)

    def rotated(
        self, record: EndpointRecord, *, text: str | None, kind: secrets.Kind | None, grace_s: int, now: int
    ) -> tuple[EndpointRecord, New]:
        """Return the endpoint with another secret, beside which the one before signs for so many seconds.

        `kind`: None for that of the newest one there is. InvalidConfigurationError if that one cannot be read;
        TooManySecretsError.
        """
        before = secrets_of(record.secrets)
        drawn = kind or ("hmac" if text is not None else self._kind_of(record.id, before))
        new = self._new(record.id, before, text=text, kind=drawn, now=now)
        after = secrets.rotated(before, new.held, now=now, grace_s=grace_s)
        return structs.replace(record, secrets=secrets_to_bytes(after)), new

    def revoked(self, record: EndpointRecord, secret_id: str, *, now: int) -> EndpointRecord:
        """Return the endpoint without an old secret. NotFoundError; RefusedError for the newest."""
        left = secrets.revoked(secrets_of(record.secrets), secret_id, now=now)
        return structs.replace(record, secrets=secrets_to_bytes(left))

    def sealing(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint with the values of its headers and the secret of its legacy signature sealed."""
        headers = sealed_headers(endpoint.headers, self.keyring, endpoint=endpoint.id, draw=self._draw)
        legacy = sealed_legacy(endpoint.legacy, self.keyring, endpoint=endpoint.id, draw=self._draw)
        return replace(endpoint, headers=headers, legacy=legacy)

    def with_old(self, legacy: Any, known: Endpoint) -> Any:
        """Return what is said of a legacy signature, with the secret that is there if it says none, and if that one
        can be read."""
        if not isinstance(legacy, Mapping) or legacy.get("secret") is not None:
            return legacy
        old = opened_legacy(known.legacy, self.keyring, endpoint=known.id)
        return legacy if old is None or isinstance(old, Unreadable) else {**legacy, "secret": old.secret}

    def _new(self, endpoint: str, before: Sequence[Held], *, text: str | None, kind: secrets.Kind, now: int) -> New:
        key = secrets.secret_of(text) if text is not None else secrets.generated(kind, self._draw)
        id = f"s{max((int(each.id[1:]) for each in before), default=0) + 1}"
        return New(key, Held(id=id, sealed=sealed(key, self.keyring, about=endpoint, draw=self._draw), since=now))

    def _kind_of(self, endpoint: str, before: Sequence[Held]) -> secrets.Kind:
        newest = next(each for each in before if each.until is None)
        found = opened(newest.sealed, self.keyring, about=endpoint)
        if isinstance(found, Unreadable):
            why = (
                "say hmac or ed25519, and a grace of 0 s, and revoke the older ones that are left, since nothing is "
                f"sent while one that cannot be read still signs: {found.why}"
            )
            raise InvalidConfigurationError(f"kind: {why}", errors=[("/kind", why)])
        return found.kind

    def _draw(self, count: int) -> bytes:
        return self.ports.random.getrandbits(8 * count).to_bytes(count, "big")
