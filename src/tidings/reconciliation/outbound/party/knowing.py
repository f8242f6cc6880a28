"""What is known of a party before its list is read: how many items it holds, and what nothing lists any more."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from tidings.reconciliation.kept.coding import Dirty
from tidings.reconciliation.kept.records import Record
from tidings.reconciliation.outbound.noting import SETTLING_US
from tidings.reconciliation.outbound.party.expected import KIND, Expectations, Expected
from tidings.reconciliation.rules.facts import ProviderFacts
from tidings.reconciliation.rules.stamps import margin
from tidings.reconciliation.runs.holding import Holding
from tidings.store.driver import StoreDriver

CHUNK = 1_000
GONE_US = 30 * 86_400_000_000
"""For so long it is remembered that an item is gone: deliveries are kept as long."""
UNSENT = "unsent"


class Knowing:
    """Brings that up to date for one scope. `by_key`: what a list lacks is known from its pages."""

    def __init__(self, holding: Holding, facts: ProviderFacts, *, store: StoreDriver, by_key: bool) -> None:
        self._holding = holding
        self._facts = facts
        self._store = store
        self._by_key = by_key

    async def know(self) -> str:
        """Count what the party holds, forget what is gone for long, and have that read which was never acknowledged
        where pages do not show what they lack. The scope is ours to run: LostLeaseError."""
        begun, live = self._holding.now, 0
        after: bytes | None = None
        while True:
            rows = await self._store.notes_between(self._holding.scope, KIND, after=after, limit=CHUNK)
            found = {at: msgspec.msgpack.decode(body, type=Expected) for at, body in rows}
            live += sum(each.state == "acked" for each in found.values())
            await self._look(found, begun)
            if len(rows) < CHUNK:
                break
            after = rows[-1][0]
        async with self._holding.held() as (_, book, record):
            await book.write(replace(record, live=live, mirrored=begun))
        return ""

    def until(self, record: Record) -> int:
        """Return until when all that was decided and begun is known to a run; µs since 1970. Clocks of two machines
        may differ, and a list may show what was before."""
        return record.mirrored - self.quiet

    @property
    def quiet(self) -> int:
        """How long nothing may have been decided or begun of an item before a read of it is judged, µs."""
        return SETTLING_US + margin(self._facts)

    async def _look(self, found: dict[bytes, Expected], now: int) -> None:
        old = [at for at, each in found.items() if each.state == "gone" and each.changed < now - GONE_US]
        due = {} if self._by_key else {at: each for at, each in found.items() if not each.is_settled}
        if not old and not due:
            return
        async with self._holding.held() as (unit, book, _record):
            expectations = Expectations(unit, self._holding.scope)
            again = await expectations.at([*old, *due])
            await expectations.forget(at for at in old if again.get(at) == found[at])
            pending = await expectations.pending(again)
            unsent = [each.key for at, each in again.items() if at in due and at not in pending]
            known = await book.dirty_of(unsent)
            asked = {key: Dirty(key=key, reason=UNSENT, since=now, due=now) for key in unsent if key not in known}
            await book.write_dirty(asked)
