"""Whether anybody would take up what is given back to a consumer: a redrive that nobody does must not be promised."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tidings.consumers.relay import OUTBOX
from tidings.operations.lag import is_held
from tidings.operations.roster import Reader, roster
from tidings.ports import Clock
from tidings.services.service import Service
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewRecord
from tidings.views.declaration import consumer_name


async def uncarried(
    store: StoreDriver, clock: Clock, services: Sequence[Service] | None, names: Collection[str]
) -> Mapping[str, str]:
    """Return those of these consumers that nobody runs, and why.

    Somebody does if a process holds or wants its leases, or if the application at hand declares it. `services`: those
    of the application at hand, None if there is none.
    """
    readers = {reader.name: reader for reader in await roster(store, services)}
    found = {}
    for name in sorted(set(names) - {OUTBOX}):  # every server relays
        why = await _why(store, clock, name, readers.get(name))
        if why is not None:
            found[name] = why
    return found


async def taken_up(store: StoreDriver, names: Collection[str]) -> str:
    """Return in words who takes up what was given back to these consumers, which somebody runs.

    A table that was begun to be built anew has its consumer only while that goes on. A server goes on by itself with
    one of another shape than the current table's, since its release declares it; with one of the same shape only who
    began it does.
    """
    by_hand = built_by_hand(await store.views())
    mine = {name: view for name, view in by_hand.items() if name in names}
    said = ["a running server takes them up"] if not names or set(names) - mine.keys() else []
    said += [f"`tidings views rebuild {view}` takes up those of {name}" for name, view in sorted(mine.items())]
    return "; ".join(said)


def built_by_hand(records: Sequence[ViewRecord]) -> Mapping[str, str]:
    """Return the consumers of tables that no server builds by itself, each with its view: `rebuild` began them."""
    current = {_kept_as(record) for record in records if record.state == "current"}
    building = [record for record in records if record.state == "building" and _kept_as(record) in current]
    return {consumer_name(each.table): f"{each.table.service}.{each.table.view}" for each in building}


def _kept_as(record: ViewRecord) -> tuple[str, str, str, str]:
    return record.table.service, record.table.view, record.shape, record.mode


async def _why(store: StoreDriver, clock: Clock, name: str, reader: Reader | None) -> str | None:
    if reader is not None:
        if reader.is_replaced:
            return f"nobody runs {name}: a newer table took the place of its own, and has read the same entries"
        if reader.declared or (reader.record is not None and reader.record.state == "building"):
            return None
        if any(is_held(each, clock) for each in reader.checkpoints.values()):
            return None
    if await store.asking(name):
        return None
    return f"nobody runs {name}, so it would not be redriven: start the program that has it, or set TIDINGS_APP to it"
