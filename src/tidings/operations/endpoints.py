"""Endpoints as operators see and change them: where webhooks go, what they are signed with, and how each fares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tidings.errors import InvalidConfigurationError, MovedError, RefusedError
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.ports import Clock, Ports
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.endpoints import EndpointRecord, EndpointState, no_endpoint
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Allowed
from tidings.webhooks.deliver.configured import endpoint_of, members_of
from tidings.webhooks.deliver.endpoint import Endpoint
from tidings.webhooks.deliver.records import (
    condition_of,
    config_of,
    endpoint_of_record,
    pacing_of,
    secrets_of,
    secrets_to_bytes,
)
from tidings.webhooks.deliver.sealing import Keyring, sealed
from tidings.webhooks.deliver.secrets import GRACE_S, Held, Secret, alive, generated, revoked, rotated, secret_of

BY_OPERATOR = "by-operator"
REASON_MAX = 500
TRIES = 8
_ID_BITS = 64
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a deployment lets endpoints be, and the master keys under which their secrets are kept."""

    allowed: Allowed = ONLY_PUBLIC
    keyring: Keyring = field(default_factory=Keyring)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An endpoint as it is kept. `version` rises with each change; `secrets`: those that sign now, newest first.

    `created`: µs since 1970. Entries behind `starts_after` are sent.
    """

    endpoint: Endpoint
    version: int
    created: int
    starts_after: Position
    secrets: Sequence[Held]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An endpoint, and the secret that it has got, which is shown this once. `held`: how it is known from now on."""

    shown: Shown
    secret: Secret
    held: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A new secret. `secret`: the text of one of the caller's own; None: one is drawn. `grace_s`: for how many seconds
    the one before signs beside it."""

    secret: str | None = None
    grace_s: int = GRACE_S


RENEWAL = Renewal()


async def listed(store: StoreDriver, clock: Clock, *, after: str | None = None, limit: int) -> Sequence[Shown]:
    """Return endpoints by their id, behind the one of this id."""
    now = clock.now_us()
    return [shown_of(each, now=now) for each in await store.endpoints(after=after, limit=limit)]


async def find(store: StoreDriver, clock: Clock, id: str) -> Shown:
    """Return one endpoint. NotFoundError."""
    return shown_of(await _record(store, id), now=clock.now_us())


async def add(
    log: Log, store: StoreDriver, ports: Ports, terms: Terms, members: Mapping[str, Any], *, who: str
) -> Signed:
    """Keep a new endpoint, which is sent what is appended from now on.

    `members`: its configuration, and besides it `id`, else one is made, and `secret`, else one is drawn.
    InvalidConfigurationError and EndpointRefusedError, each with its pointers; RefusedError if the id is taken.
    """
    given = {name: value for name, value in members.items() if name not in ("id", "secret")}
    now = ports.clock.now_us()
    id = _id_of(members.get("id"), ports)
    endpoint = endpoint_of(given, id=id, health=health.new(now), allowed=terms.allowed)
    secret = _secret_of(members.get("secret"), ports)
    held = _held(secret, id, terms, ports)
    record = EndpointRecord(
        id=id,
        config=config_of(endpoint),
        starts_after=(await log.head()).position,
        created=now,
        pacing=pacing_of(endpoint),
        condition=condition_of(endpoint.health),
        secrets=secrets_to_bytes((held,)),
    )
    async with store.changing(Change(who=who, what="endpoint-added", on=id)) as changing:
        if not await changing.add_endpoint(record):
            raise RefusedError(f"there is an endpoint {id!r} already: change that one, or choose another id")
    return Signed(shown=shown_of(record, now=now), secret=secret, held=held)


async def change(
    store: StoreDriver, clock: Clock, terms: Terms, seen: Shown, members: Mapping[str, Any], *, who: str
) -> Shown:
    """Give an endpoint this configuration in place of the one that was `seen`; what is left out is as by default.

    InvalidConfigurationError; EndpointRefusedError; MovedError if it was changed meanwhile; NotFoundError.
    """
    endpoint = endpoint_of(members, id=seen.endpoint.id, health=seen.endpoint.health, allowed=terms.allowed)
    async with store.changing(Change(who=who, what="endpoint-changed", on=endpoint.id)) as changing:
        before = await _seen(changing, seen)
        wanted = replace(before, config=config_of(endpoint), pacing=pacing_of(endpoint))
        after = await changing.change_endpoint(wanted)
        if after is None:
            raise _moved(endpoint.id)
    return shown_of(after, now=clock.now_us())


def merged(seen: Shown, members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration that was seen with these members in place of its own; None puts a default back."""
    return {**members_of(seen.endpoint), **members}


async def remove(store: StoreDriver, clock: Clock, seen: Shown, *, who: str) -> int:
    """Remove an endpoint as it was seen and cancel what is open to it; say how many. MovedError; NotFoundError."""
    id = seen.endpoint.id
    async with store.changing(Change(who=who, what="endpoint-removed", on=id)) as changing:
        if await changing.change_endpoint(await _seen(changing, seen)) is None:
            raise _moved(id)
        return await changing.remove_endpoint(id, at=clock.now_us())


async def rotate(
    store: StoreDriver,
    ports: Ports,
    terms: Terms,
    id: str,
    *,
    asked: Renewal = RENEWAL,
    who: str,
) -> Signed:
    """Give an endpoint a new secret, beside which the one before signs on for the grace.

    InvalidConfigurationError; TooManySecretsError; NotFoundError.
    """
    new = _secret_of(asked.secret, ports)
    held = _held(new, id, terms, ports)

    def next_of(before: Sequence[Held], now: int) -> Sequence[Held]:
        return rotated(before, held, now=now, grace_s=asked.grace_s)

    after = await _rewritten(store, ports.clock, Change(who=who, what="secret-rotated", on=id), next_of)
    return Signed(shown=after, secret=new, held=held)


async def revoke(store: StoreDriver, clock: Clock, id: str, secret: str, *, who: str) -> Shown:
    """End one of the older secrets of an endpoint now. NotFoundError; RefusedError for the newest."""

    def next_of(before: Sequence[Held], now: int) -> Sequence[Held]:
        return revoked(before, secret, now=now)

    return await _rewritten(store, clock, Change(who=who, what="secret-revoked", on=id, reason=secret[:100]), next_of)


async def pause(
    store: StoreDriver, clock: Clock, id: str, *, reason: str = "", state: EndpointState = "paused", who: str
) -> Shown:
    """Hold what is open and what comes, until it is resumed; nothing is lost. Twice is once. NotFoundError.

    `reason`: shown to whoever looks. InvalidConfigurationError for one of more than `REASON_MAX` characters.
    """
    told = " ".join(reason.split())
    if len(told) > REASON_MAX:
        why = f"it has {len(told):,} characters: say it in {REASON_MAX}"
        raise InvalidConfigurationError(f"reason: {why}", errors=[("/reason", why)])
    return await _set(store, clock, Change(who=who, what="pause", on=id, reason=told), state)


async def resume(store: StoreDriver, clock: Clock, id: str, *, who: str) -> Shown:
    """Let a paused or disabled endpoint go on, its health unknown; what is held is sent in order.

    RefusedError if it is neither; NotFoundError.
    """
    return await _set(store, clock, Change(who=who, what="resume", on=id), "active")


def shown_of(record: EndpointRecord, *, now: int) -> Shown:
    """Return what a record says."""
    return Shown(
        endpoint=endpoint_of_record(record, now=now),
        version=record.version,
        created=record.created,
        starts_after=record.starts_after,
        secrets=alive(secrets_of(record.secrets), now=now),
    )


async def _set(store: StoreDriver, clock: Clock, change: Change, state: EndpointState) -> Shown:
    at = clock.now_us()
    async with store.changing(change) as changing:
        if state == "active":
            after = await changing.resume_endpoint(change.on, at=at)
        else:
            why = change.reason or BY_OPERATOR
            after = await changing.pause_endpoint(change.on, at=at, why=why, state=state)
    return shown_of(after, now=at)


async def _rewritten(
    store: StoreDriver, clock: Clock, change: Change, next_of: Callable[[Sequence[Held], int], Sequence[Held]]
) -> Shown:
    """Write the secrets that follow from those that are kept; again if somebody changes the endpoint meanwhile."""
    for _ in range(TRIES):
        now = clock.now_us()
        async with store.changing(change) as changing:
            before = await _record(changing, change.on)
            held = next_of(secrets_of(before.secrets), now)
            after = await changing.change_endpoint(replace(before, secrets=secrets_to_bytes(tuple(held))))
            if after is not None:
                return shown_of(after, now=now)
    raise _moved(change.on)


async def _record(store: StoreDriver, id: str) -> EndpointRecord:
    found = await store.endpoint(id)
    if found is None:
        raise no_endpoint(id)
    return found


async def _seen(store: StoreDriver, seen: Shown) -> EndpointRecord:
    """Return the record of what was seen. MovedError if another one has its place."""
    found = await _record(store, seen.endpoint.id)
    if (found.version, found.created) != (seen.version, seen.created):
        raise _moved(found.id)
    return found


def _moved(id: str) -> MovedError:
    return MovedError(f"the endpoint {id!r} was changed since it was read: read it again, and decide anew")


def _id_of(id: Any, ports: Ports) -> str:
    if id is None:
        return f"ep_{ports.random.getrandbits(_ID_BITS):016x}"
    if not isinstance(id, str) or not _ID.fullmatch(id):
        why = "expected 1 to 64 letters, digits, and . _ ~ - behind the first of them"
        raise InvalidConfigurationError(f"id: {why}", errors=[("/id", why)])
    return id


def _secret_of(text: Any, ports: Ports) -> Secret:
    if text is None:
        return generated("hmac", ports.random.randbytes)
    return secret_of(text if isinstance(text, str) else "")


def _held(secret: Secret, id: str, terms: Terms, ports: Ports) -> Held:
    draw = ports.random.randbytes
    known_as = f"sec_{ports.random.getrandbits(_ID_BITS):016x}"
    return Held(id=known_as, sealed=sealed(secret, terms.keyring, about=id, draw=draw), since=ports.clock.now_us())
