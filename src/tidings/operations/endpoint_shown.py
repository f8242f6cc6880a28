"""An endpoint as it may be shown to anybody who may see endpoints. Times: µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.store.endpoint_deliveries import Backlog
from tidings.store.endpoints import EndpointRecord, EndpointState
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.configured import members_of
from tidings.webhooks.deliver.records import endpoint_of_record, secrets_of
from tidings.webhooks.deliver.secrets import alive

HIDDEN = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSecret:
    """A secret that signs, by its id. `until`: None for the newest."""

    id: str
    since: int
    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One endpoint. `members`: what was configured, but for the values of headers, which may be secrets, and
    the secret of `legacy`.

    `since`: when the state began; `reason`: of one that is not active. `not_before`: nothing is sent earlier; 0: now.
    `failures`: in a row. `quiet_since`: the last success, else when it was made or resumed. `succeeded`, `failed`:
    attempts of the last five minutes, `succeeded_at` and `failed_at` the last ones. `secrets`: newest first.
    """

    id: str
    version: int
    created: int
    members: Mapping[str, Any]
    state: EndpointState
    reason: str | None
    since: int
    not_before: int
    failures: int
    quiet_since: int
    succeeded: int
    failed: int
    succeeded_at: int | None
    failed_at: int | None
    backlog: Backlog
    secrets: Sequence[ShownSecret]


def shown(record: EndpointRecord, backlog: Backlog, *, now: int) -> Shown:
    """Return what of a record may be shown."""
    endpoint = endpoint_of_record(record, now=now)
    members = members_of(endpoint)
    if members["legacy"] is not None:
        del members["legacy"]["secret"]
    succeeded, failed = health.lately(endpoint.health, now=now)
    held = alive(secrets_of(record.secrets), now=now)
    return Shown(
        id=record.id,
        version=record.version,
        created=record.created,
        members={**members, "headers": dict.fromkeys(members["headers"], HIDDEN)},
        state=record.condition.state,
        reason=record.condition.why,
        since=endpoint.health.since,
        not_before=record.condition.not_before,
        failures=endpoint.health.failures,
        quiet_since=endpoint.health.quiet_since,
        succeeded=succeeded,
        failed=failed,
        succeeded_at=endpoint.health.succeeded_at,
        failed_at=endpoint.health.failed_at,
        backlog=backlog,
        secrets=[ShownSecret(id=each.id, since=each.since, until=each.until) for each in held],
    )
