"""Another configuration for an endpoint that there is: what is said anew beside what stays, of which some is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from tidings.errors import InvalidConfigurationError
from tidings.operations.endpoint_secrets import Secrets
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver.addresses import Allowed
from tidings.webhooks.deliver.configured import endpoint_of, members_of
from tidings.webhooks.deliver.endpoint import Endpoint
from tidings.webhooks.deliver.legacy import check_beside
from tidings.webhooks.deliver.records import config_of, endpoint_of_record, pacing_of

_SEALED = ("headers", "legacy")
"""Members that lie sealed in a row, so that what lies there is none that anybody may give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The members that an operator gives. With `whole`, those that are not take their defaults, and `pin` stays."""

    members: Mapping[str, Any]
    whole: bool
    allowed: Allowed
    secrets: Secrets

    def made(self, record: EndpointRecord, *, now: int) -> EndpointRecord:
        """Return the endpoint with them. InvalidConfigurationError; EndpointRefusedError."""
        known = endpoint_of_record(record, now=now)
        staying = () if self.whole else [name for name in _SEALED if name not in self.members]
        given = {name: value for name, value in self._given(known).items() if name not in staying}
        endpoint = endpoint_of(given, id=record.id, health=known.health, allowed=self.allowed)
        endpoint = replace(self.secrets.sealing(endpoint), **{name: getattr(known, name) for name in staying})
        check_beside(endpoint, are_headers_given=self.whole or "headers" in self.members)
        if endpoint.via != known.via:
            why = f"it stays {known.via!r}, which it was made with: make another endpoint"
            raise InvalidConfigurationError(f"via: {why}", errors=[("/via", why)])
        return structs.replace(record, config=config_of(endpoint), pacing=pacing_of(endpoint))

    def _given(self, known: Endpoint) -> dict[str, Any]:
        """Return all members that the endpoint is to have."""
        given = {**({"pin": dict(known.pin)} if self.whole else members_of(known)), **self.members}
        if "legacy" in self.members:
            given["legacy"] = self.secrets.with_old(self.members["legacy"], known)
        if "slots" in self.members and "reserved" not in self.members and not self.whole:
            del given["reserved"]
        return given
