"""Receivers, as operators see them, make, change and retire them, and replay what came to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidings.errors import MovedError, NotFoundError, RefusedError
from tidings.operations.receiver_shown import NEWEST, Shown, declared, is_silent, kept
from tidings.ports import Ports
from tidings.store.audit import Change, What
from tidings.store.driver import StoreDriver
from tidings.store.receipts import Receipt, ReceiverRecord, no_receiver
from tidings.versions.retelling import Retelling
from tidings.webhooks.intake import records
from tidings.webhooks.intake.records import Hidden, Wanted
from tidings.webhooks.intake.replaying import Again, Replayed, replay
from tidings.webhooks.intake.roster import Roster
from tidings.webhooks.intake.translating import Making
from tidings.webhooks.sealing import Keyring, check_keyring

NONCE_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    """What may be done with receivers. `is_local`: others cannot reach this server, so that secrets may be kept plain.

    `begun`: when this process began to expect something, µs since 1970. Each change is audited with `who` made it, in
    its transaction.
    """

    store: StoreDriver
    ports: Ports
    roster: Roster
    retelling: Retelling
    making: Callable[[], Making]
    keyring: Keyring
    is_local: bool
    begun: int

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[Shown]:
        """Return receivers by their id, behind the one of this id: those of the code, and those of the store."""
        records = {each.id: each for each in await self.store.receivers()}
        ids = sorted({*records, *self.roster.declared})
        page = [id for id in ids if after is None or id > after][:limit]
        return [await self._shown(id, records.get(id)) for id in page]

    async def show(self, id: str) -> Shown:
        """Return one receiver, without what is secret of it. NotFoundError."""
        return await self._shown(id, await self.store.receiver(id))

    async def silent(self) -> Sequence[str]:
        """Return the ids of those to which nothing came for longer than they say, by id."""
        receivers = [each for each in await self.roster.all() if each.expected_every and not each.is_retired]
        if not receivers:
            return ()
        last = await self.store.last_received([each.id for each in receivers])
        now = self.ports.clock.now_us()
        return [
            each.id
            for each in receivers
            if is_silent(
                each.expected_us, last.get(each.id), begun=self.begun if each.created is None else each.created, now=now
            )
        ]

    async def put(
        self, id: str, members: Mapping[str, Any], *, version: int | None = None, who: str = "local"
    ) -> Shown:
        """Make a receiver, or give the one of this version this configuration; one that is retired takes again.

        `version`: None to make one. InvalidConfigurationError; SettingError without a master key where others reach
        the server, or if what is secret is left out and cannot be read; RefusedError if the code declares it, or there
        is one already; MovedError.
        """
        self._check_not_declared(id)
        check_keyring(self.keyring, is_local=self.is_local)
        wanted = records.wanted_of(members)
        before = None if version is None else await self.store.receiver(id)
        record = self._record(id, wanted, before)
        if version is None:
            async with self._changing("receiver-added", id, who) as changing:
                if not await changing.add_receiver(record):
                    raise RefusedError(f"there is a receiver {id!r} already: change it, or choose another id")
        else:
            await self._change("receiver-changed", replace(record, version=version), who)
        self.roster.look_anew()
        return await self.show(id)

    async def change(self, id: str, members: Mapping[str, Any], *, who: str = "local") -> Shown:
        """Give these members of a receiver's configuration other values, and leave the others as they are.

        As `put`. NotFoundError.
        """
        seen = await self.show(id)
        said = {
            "preset": seen.preset,
            "source": seen.source,
            "public_url": seen.public_url,
            "expected_every_s": None if seen.every is None else seen.every / 1_000_000,
        }
        return await self.put(id, {**said, **members}, version=seen.version, who=who)

    async def retire(self, id: str, *, version: int | None = None, who: str = "local") -> Shown:
        """Have it take nothing any more: its door answers so; what came stays. `version`: None for whichever it has.

        NotFoundError; RefusedError if the code declares it; MovedError.
        """
        self._check_not_declared(id)
        found = await self.store.receiver(id)
        if found is None:
            raise await self._absent(id)
        seen = found.version if version is None else version
        await self._change("receiver-retired", replace(found, state="retired", version=seen), who)
        self.roster.look_anew()
        return await self.show(id)

    async def receipt(self, id: str, n: int) -> Receipt:
        """Return one receipt of a receiver. NotFoundError."""
        found = await self.store.receipt(n)
        if found is None or found.receiver != id:
            raise await self.no_receipt(id, str(n))
        return found

    async def no_receipt(self, id: str, name: str) -> NotFoundError:
        """Return that the receiver has no receipt of this name, with what it has; or that there is no such receiver."""
        newest = await self.store.receipts(id, limit=1)
        if newest:
            return NotFoundError("receipt", name, of=id, hint=f"its newest is {newest[0].n}")
        if id not in self.roster.declared and await self.store.receiver(id) is None:
            return await self._absent(id)
        return NotFoundError("receipt", name, (), of=id)

    async def replay(self, id: str, n: int, *, nonce: str | None = None, who: str = "local") -> Replayed:
        """Make a receipt's bytes into events again; see `tidings.webhooks.intake.replaying.replay`.

        `nonce`: None for a new one.
        """
        await self.receipt(id, n)
        again = Again(
            store=self.store,
            retelling=self.retelling,
            roster=self.roster,
            making=self.making(),
        )
        return await replay(again, n, nonce=nonce or f"{self.ports.random.getrandbits(NONCE_BITS):016x}", who=who)

    def within(self, store: StoreDriver) -> Receivers:
        """Return the same as parts of a transaction that is open."""
        return replace(self, store=store)

    async def _absent(self, id: str) -> NotFoundError:
        return no_receiver(id, [each.id for each in await self.roster.all()])

    async def _shown(self, id: str, record: ReceiverRecord | None) -> Shown:
        found = self.roster.declared.get(id)
        if found is None and record is None:
            raise await self._absent(id)
        last = (await self.store.last_received([id])).get(id)
        tally = await self.store.tally_receipts(id, newest=NEWEST)
        now = self.ports.clock.now_us()
        if found is not None:
            return declared(found, last=last, tally=tally, begun=self.begun, now=now)
        assert record is not None
        return kept(record, self.keyring, last=last, tally=tally, now=now)

    def _record(self, id: str, wanted: Wanted, before: ReceiverRecord | None) -> ReceiverRecord:
        says_all = wanted.secrets is not None and wanted.settings is not None
        was = Hidden() if before is None or says_all else records.hidden_of(before, self.keyring)
        hidden = wanted.hidden(was)
        records.receiver_of(id, wanted.config, hidden)  # whatever it would be refused for is told now
        return ReceiverRecord(
            id=id,
            config=records.config_bytes(wanted.config),
            created=self.ports.clock.now_us(),
            secrets=records.sealed_hidden(hidden, id, self.keyring, self._draw),
        )

    async def _change(self, what: What, record: ReceiverRecord, who: str) -> None:
        async with self._changing(what, record.id, who) as changing:
            if await changing.change_receiver(record) is None:
                raise MovedError(
                    f"the receiver {record.id!r} was changed since it was read: read it again, and decide anew"
                )

    def _changing(self, what: What, id: str, who: str) -> Any:
        return self.store.changing(Change(who=who, what=what, on=f"receiver {id}"))

    def _check_not_declared(self, id: str) -> None:
        found = self.roster.declared.get(id)
        if found is not None:
            where = found.declared_at or "the application's code"
            raise RefusedError(f"the receiver {id!r} is declared in {where}: change it there, and deploy")

    def _draw(self, count: int) -> bytes:
        return self.ports.random.getrandbits(8 * count).to_bytes(count, "big")
