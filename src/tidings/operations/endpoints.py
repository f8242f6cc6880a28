"""Targets of outgoing webhooks, as operators make, change, stop and try them. Secrets are shown once, when made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from msgspec import structs

from tidings.errors import MovedError, RefusedError
from tidings.events.envelope import Envelope
from tidings.events.identity import uuid7
from tidings.log.driver import Receipt
from tidings.log.log import Log
from tidings.operations.endpoint_again import Again, Wanted, recover, recoverable, replay
from tidings.operations.endpoint_changes import Changes
from tidings.operations.endpoint_ids import checked
from tidings.operations.endpoint_pins import check_pins, newest_open
from tidings.operations.endpoint_secrets import Made, New, Secrets
from tidings.operations.endpoint_shown import Shown, shown
from tidings.operations.filtered import find_endpoint, moved_endpoint
from tidings.operations.progress import Progress, unwatched
from tidings.ports import Ports
from tidings.store.audit import Change, What
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Backlog, Range
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver import health, secrets
from tidings.webhooks.deliver.addresses import Allowed
from tidings.webhooks.deliver.configured import endpoint_of
from tidings.webhooks.deliver.fanout import NAME, types_of
from tidings.webhooks.deliver.operational import Operational, said
from tidings.webhooks.deliver.pinning import Lineages
from tidings.webhooks.deliver.records import (
    condition_of,
    config_of,
    endpoint_of_record,
    health_of,
    pacing_of,
    secrets_to_bytes,
)
from tidings.webhooks.deliver.telling import ID_BITS
from tidings.webhooks.sealing import Keyring, check_keyring

Append = Callable[[Sequence[Envelope]], Awaitable[Receipt]]
"""`Log.append`, or what appends as a part of a request's transaction."""

TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """What may be done with endpoints. `is_local`: others cannot reach this server, so that secrets may be kept plain.

    Each change is audited with `who` made it, in its transaction.
    """

    store: StoreDriver
    log: Log
    ports: Ports
    append: Append
    keyring: Keyring
    allowed: Allowed
    is_local: bool
    lineages: Lineages

    async def add(
        self,
        members: Mapping[str, Any],
        *,
        id: str | None = None,
        secret: str | None = None,
        kind: secrets.Kind = "hmac",
        who: str = "local",
    ) -> Made:
        """Make an endpoint, which is sent what is appended from now on. `members`: see `configured.MEMBERS`.

        Without `pin` it is told each type that it may be sent in the newest version that may be appended now.

        `id`, `secret`: None for a new one. InvalidConfigurationError; EndpointRefusedError; SettingError without a
        master key where others reach the server; RefusedError if the id is taken.
        """
        check_keyring(self.keyring, is_local=self.is_local)
        now = self.ports.clock.now_us()
        id = checked(id) if id is not None else f"ep_{self.ports.random.getrandbits(64):016x}"
        endpoint = endpoint_of(members, id=id, health=health.new(now), allowed=self.allowed)
        await check_pins(self.store, endpoint.pin, self.lineages)
        if members.get("pin") is None:
            endpoint = replace(endpoint, pin=await newest_open(self.store, types_of(members)))
        new = self._secrets.first(id, text=secret, kind=kind, now=now)
        head = (await self.log.head()).position
        record = EndpointRecord(
            id=id,
            config=config_of(self._secrets.sealing(endpoint)),
            starts_after=head,
            created=now,
            pacing=pacing_of(endpoint),
            condition=condition_of(endpoint.health),
            secrets=secrets_to_bytes([new.held]),
        )
        if not await self.store.checkpoints(NAME):
            await self.store.register(NAME, partitions=1, start=head)
        async with self.store.changing(self._change("endpoint-added", id, who)) as changing:
            if not await changing.add_endpoint(record):
                raise RefusedError(f"there is an endpoint {id!r} already: change it, or choose another id")
        return new.made(await self._shown(record))

    async def show(self, id: str) -> Shown:
        """Return one endpoint, without its secrets and the values of its headers. NotFoundError."""
        return await self._shown(await find_endpoint(self.store, id))

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[Shown]:
        """Return endpoints by their id, behind the one of this id."""
        now, records = self.ports.clock.now_us(), await self.store.endpoints(after=after, limit=limit)
        backlogs = await self.store.backlogs(records[0].id, records[-1].id) if records else {}
        return [shown(each, backlogs.get(each.id, Backlog()), now=now) for each in records]

    async def change(
        self,
        id: str,
        members: Mapping[str, Any],
        *,
        whole: bool = False,
        version: int | None = None,
        who: str = "local",
    ) -> Shown:
        """Change the members that are given; with `whole`, those that are not take their defaults, and `pin` stays.

        `legacy` keeps its secret if none is given. `version`: the one that is to be changed, None for whichever there
        is. As `add`; NotFoundError; MovedError if it has another version.
        """
        changes = Changes(members=members, whole=whole, allowed=self.allowed, secrets=self._secrets)

        def changed(record: EndpointRecord, now: int) -> EndpointRecord:
            if version is not None and record.version != version:
                raise moved_endpoint(id)
            return changes.made(record, now=now)

        before = endpoint_of_record(await find_endpoint(self.store, id), now=self.ports.clock.now_us()).pin
        await check_pins(self.store, members.get("pin"), self.lineages, before=before)
        return await self._shown(await self._changed(self._change("endpoint-changed", id, who), changed))

    async def remove(self, id: str, *, version: int | None = None, who: str = "local") -> int:
        """Remove an endpoint; return how many open deliveries are cancelled. `version` as in `change`.

        NotFoundError; MovedError.
        """
        async with self.store.changing(self._change("endpoint-removed", id, who)) as changing:
            if version is not None:
                # A change, though to nothing else, tells whether the version is still that one, and keeps others out.
                known = structs.replace(await find_endpoint(self.store, id), version=version)
                if await changing.change_endpoint(known) is None:
                    raise moved_endpoint(id)
            return await changing.remove_endpoint(id, at=self.ports.clock.now_us())

    async def rotate(
        self,
        id: str,
        *,
        secret: str | None = None,
        kind: secrets.Kind | None = None,
        grace_s: int = secrets.GRACE_S,
        who: str = "local",
    ) -> Made:
        """Have another secret sign; the one before signs beside it for so many seconds.

        `kind`: None for that of the newest one, which is what receivers verify. InvalidConfigurationError, also if that
        one cannot be read; TooManySecretsError; SettingError; NotFoundError.
        """
        check_keyring(self.keyring, is_local=self.is_local)
        made: list[New] = []

        def changed(record: EndpointRecord, now: int) -> EndpointRecord:
            after, new = self._secrets.rotated(record, text=secret, kind=kind, grace_s=grace_s, now=now)
            made[:] = [new]
            return after

        def event() -> Envelope:
            return self._said("endpoint.secret-rotated", id, secret=made[0].held.id)

        record = await self._changed(self._change("secret-rotated", id, who), changed, event)
        return made[0].made(await self._shown(record))

    async def revoke(self, id: str, secret_id: str, *, who: str = "local") -> Shown:
        """Have an old secret sign no more, from now on. NotFoundError; RefusedError for the newest."""

        def changed(record: EndpointRecord, now: int) -> EndpointRecord:
            return self._secrets.revoked(record, secret_id, now=now)

        return await self._shown(await self._changed(self._change("secret-revoked", id, who, secret_id), changed))

    async def test(self, id: str, *, who: str = "local") -> str:
        """Send one event of type `endpoint.test` to it, through the log and whatever its pattern is.

        Returns the key of its delivery. NotFoundError; RefusedError unless it is active or degraded.
        """
        record = await find_endpoint(self.store, id)
        if not record.condition.is_sending:
            raise RefusedError(f"the endpoint {id!r} is {record.condition.state}: resume it before it is tested")
        async with self.store.changing(self._change("endpoint-tested", id, who)):
            pass
        receipt = await self.append([self._said("endpoint.test", id, test=True)])
        return f"{id}:{receipt.positions[0]}"

    async def pause(
        self, id: str, *, reason: str = "operator", state: Literal["paused", "disabled"] = "paused", who: str = "local"
    ) -> Shown:
        """Send nothing to it until it is resumed: what is open and what comes is held. Twice is once. NotFoundError."""
        before, now = await find_endpoint(self.store, id), self.ports.clock.now_us()
        stopped = health.stopped(health_of(before.condition, now=now), state=state, why=reason, now=now)
        kept = bytes(stopped)
        async with self.store.changing(self._change("endpoint-paused", id, who, reason)) as changing:
            record = await changing.pause_endpoint(id, at=now, why=reason, state=state, health=kept)
            if before.condition.state != state:
                told: Operational = "endpoint.paused" if state == "paused" else "endpoint.disabled"
                changing.emit([self._said(told, id, reason=reason)])
        return await self._shown(record)

    async def resume(self, id: str, *, who: str = "local") -> Shown:
        """Send to a paused or disabled endpoint again, in order. NotFoundError; RefusedError if it is neither."""
        before, now = await find_endpoint(self.store, id), self.ports.clock.now_us()
        kept = bytes(health.resumed(health_of(before.condition, now=now), now=now))
        async with self.store.changing(self._change("endpoint-resumed", id, who)) as changing:
            record = await changing.resume_endpoint(id, at=now, health=kept)
            changing.emit([self._said("endpoint.resumed", id)])
        return await self._shown(record)

    async def recover(
        self,
        id: str,
        within: Range,
        *,
        dry_run: bool = False,
        who: str = "local",
        progress: Progress = unwatched,
    ) -> Again:
        """See `endpoint_again.recover`. `dry_run`: count only."""
        if dry_run:
            return await recoverable(self.store, id, within)
        return await recover(self.store, self.ports, id, within, who=who, progress=progress)

    async def replay(self, id: str, wanted: Wanted, *, who: str = "local") -> Again:
        """See `endpoint_again.replay`."""
        wanted = replace(wanted, lineages=self.lineages)
        return await replay(self.log, self.store, self.ports, id, wanted, who=who)

    async def _shown(self, record: EndpointRecord) -> Shown:
        found = await self.store.backlogs(record.id, record.id)
        return shown(record, found.get(record.id, Backlog()), now=self.ports.clock.now_us())

    async def _changed(
        self,
        change: Change,
        changed: Callable[[EndpointRecord, int], EndpointRecord],
        event: Callable[[], Envelope] | None = None,
    ) -> EndpointRecord:
        """Keep what `changed` makes of it, again where others changed it meanwhile; `event`: what tells of it."""
        for _ in range(TRIES):
            record = changed(await find_endpoint(self.store, change.on), self.ports.clock.now_us())
            with suppress(MovedError):
                return await self._kept(change, record, event)
        raise RefusedError(f"the endpoint {change.on!r} is being changed by others: try again")

    async def _kept(
        self, change: Change, record: EndpointRecord, event: Callable[[], Envelope] | None
    ) -> EndpointRecord:
        async with self.store.changing(change) as changing:
            after = await changing.change_endpoint(record)
            if after is None:
                raise moved_endpoint(record.id)
            if event is not None:
                changing.emit([event()])
        return after

    def _said(self, type: Operational, id: str, **more: object) -> Envelope:
        now = self.ports.clock.now_us()
        event = uuid7(now, self.ports.random.getrandbits(ID_BITS))
        return said(type, id, id=event, now=now, **more)

    @property
    def _secrets(self) -> Secrets:
        return Secrets(self.ports, self.keyring)

    def _change(self, what: What, id: str, who: str, reason: str = "") -> Change:
        return Change(who=who, what=what, on=id, reason=reason.strip())
