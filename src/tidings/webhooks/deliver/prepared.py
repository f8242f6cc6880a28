"""What all attempts at an endpoint have in common, made once for each version of it: secrets are opened once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from tidings.events.patterns.grammar import compile_pattern
from tidings.events.patterns.pattern import Pattern
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver.answer import Failure
from tidings.webhooks.deliver.endpoint import Endpoint
from tidings.webhooks.deliver.records import endpoint_of_record, secrets_of
from tidings.webhooks.deliver.sealing import Opening, Unreadable, opened, opened_headers, opened_legacy, signers
from tidings.webhooks.deliver.secrets import Held, Secret
from tidings.webhooks.sealing import Keyring

KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """An endpoint as it is configured: its health is as old as this. `opening`: of a sealed secret.

    `pattern`: None unless it looks into data. `unreadable`: why nothing can be sent, None if it can. `sole`: the secret
    that signs whatever the time is, as `signers` gives it; None if there are several, or it ends.
    """

    endpoint: Endpoint
    held: Sequence[Held]
    opening: Opening
    pattern: Pattern | None
    unreadable: str | None
    sole: tuple[Secret, ...] | Failure | None

    def signers(self, *, now: int) -> tuple[Secret, ...] | Failure:
        """See `tidings.webhooks.deliver.sealing.signers`; as well a failure if a header, or a legacy secret, cannot."""
        if self.unreadable is not None:
            return Failure(kind="secret-unreadable", error=self.unreadable)
        return self.sole or signers(self.held, self.opening, now=now)


class Preparing:
    """Keeps what it made for the endpoints that were sent to last."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._made: dict[str, tuple[tuple[int, int], Prepared]] = {}

    def of(self, record: EndpointRecord, *, now: int) -> Prepared:
        """Return what is made of the record. One that was removed and made anew has another time of creation."""
        version = (record.created, record.version)
        known = self._made.get(record.id)
        if known is not None and known[0] == version:
            return known[1]
        endpoint, why = self._opened(endpoint_of_record(record, now=now))
        held, opening = secrets_of(record.secrets), cache(partial(opened, keyring=self._keyring, about=record.id))
        made = Prepared(
            endpoint,
            held,
            opening,
            _reading_data(endpoint),
            why,
            signers(held, opening, now=now) if len(held) == 1 and held[0].until is None else None,
        )
        if known is None and len(self._made) >= KEPT:
            del self._made[next(iter(self._made))]
        self._made[record.id] = (version, made)
        return made

    def _opened(self, endpoint: Endpoint) -> tuple[Endpoint, str | None]:
        """Return the endpoint with what is sealed of its configuration in clear, or as it is and why it cannot be."""
        headers = opened_headers(endpoint.headers, self._keyring, endpoint=endpoint.id)
        legacy = opened_legacy(endpoint.legacy, self._keyring, endpoint=endpoint.id)
        if isinstance(headers, Unreadable):
            return endpoint, headers.why
        if isinstance(legacy, Unreadable):
            return endpoint, legacy.why
        return replace(endpoint, headers=headers, legacy=legacy), None


def _reading_data(endpoint: Endpoint) -> Pattern | None:
    pattern = compile_pattern(endpoint.pattern) if endpoint.pattern else None
    return pattern if pattern is not None and pattern.reads_data else None
