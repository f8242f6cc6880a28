"""What was delivered to an endpoint, noted under the ids that its receiver knows: what its list is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from tidings.events.envelope import Envelope
from tidings.log.log import Log
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Dirty, Finding, Mirrored
from tidings.reconciliation.kept.records import Record
from tidings.reconciliation.listing import EndpointScope
from tidings.reconciliation.outbound.listed import Listed, hash_of
from tidings.reconciliation.outbound.sending import run_of
from tidings.reconciliation.rules.facts import micros
from tidings.reconciliation.rules.judging import DELETE, PUT
from tidings.reconciliation.runs.holding import Holding
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import ClosedDelivery, EndpointDelivery
from tidings.store.endpoints import EndpointRecord
from tidings.store.rows import Rank

NamesMessage = Callable[[EndpointDelivery, Envelope], str | None]
"""Returns the id under which a receiver knows a delivery; None: it is not compared."""

SETTLING_US = 10_000_000
"""Within this a transaction has ended that says when a delivery closed; nothing is said of what is younger."""
OVERLAP_US = 6 * SETTLING_US
"""How far is looked back for those that took longer."""
PAGE = 1_000


def known_until(record: Record) -> int:
    """Return up to when all that has closed is noted; µs since 1970."""
    return record.mirrored - SETTLING_US


@dataclass(slots=True)
class _Noted:
    """What is written of a page of closed deliveries. `gone`: places of which nothing is kept any more."""

    mirror: dict[bytes, Mirrored | None] = field(default_factory=dict)
    sent: dict[bytes, EndpointDelivery | None] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    excepted: dict[str, Dirty | None] = field(default_factory=dict)


class Noting:
    """Notes it for one scope. `names`: see `NamesMessage`."""

    def __init__(
        self, scope: EndpointScope, holding: Holding, *, store: StoreDriver, log: Log, names: NamesMessage
    ) -> None:
        self._scope = scope
        self._holding = holding
        self._store = store
        self._log = log
        self._names = names

    async def note(self) -> str:
        """Note what has closed since it was last done, and forget what is older than the window. Return why that
        cannot be, or nothing. The scope is ours to run: LostLeaseError."""
        endpoint = await self._store.endpoint(self._scope.endpoint)
        if endpoint is None:
            return f"there is no endpoint {self._scope.endpoint!r}"
        if endpoint.pacing.batch > 1:
            return f"the endpoint {endpoint.id!r} is sent batches, and only what is sent alone is compared"
        async with self._holding.held() as (_, _book, record):
            since = max(record.mirrored - OVERLAP_US, self._start(endpoint, self._holding.now))
        after, at = 0, None
        while True:
            page = await self._store.closed_deliveries(endpoint.id, since=since, after=after, limit=PAGE)
            at = page.at if at is None else at
            await self._write(page.deliveries, self._start(endpoint, at))
            if len(page.deliveries) < PAGE:
                break
            since, after = page.deliveries[-1].closed, page.deliveries[-1].n
        await self._forget(self._start(endpoint, at), at)
        return ""

    def _start(self, endpoint: EndpointRecord, now: int) -> int:
        """Return from when on what has closed is compared: not what was sent to an endpoint that had this id before."""
        return max(now - micros(self._scope.window), endpoint.created)

    async def _write(self, closed: Sequence[ClosedDelivery], start: int) -> None:
        rows = [each for each in closed if each.closed >= start and each.batch is None]
        keys = await self._keys(rows)
        named = [(keys[each.n], each) for each in rows if each.n in keys]
        if not named:
            return
        places = {Listed.at(key) for key, _ in named}
        async with self._holding.held() as (_, book, record):
            held, open = await book.mirrored(places), await book.open_at(places)
            noted = _Noted()
            before = {at: held.of(at) for at in places}
            for key, each in named:
                at = Listed.at(key)
                known = noted.mirror.get(at, before[at])
                finding = open.get(at)
                _note(noted, key, each, known, finding if finding is not None and _is_of(finding, each) else None)
            await self._keep(book, noted)
            live = sum(_live(now) - _live(before[at]) for at, now in noted.mirror.items())
            await book.write(replace(record, live=record.live + live))

    async def _keep(self, book: Book, noted: _Noted) -> None:
        await book.write_mirror(noted.mirror)
        await book.write_sent(noted.sent)
        await book.write_dirty(dict(noted.excepted))
        await book.write_findings(noted.findings)
        for each in noted.findings:
            await book.answer(f"f:{each.id}")

    async def _keys(self, rows: Sequence[ClosedDelivery]) -> Mapping[int, str]:
        """Return their ids, by number; nothing of what the log does not have any more, since it cannot be sent."""
        positions = sorted({each.delivery.position for each in rows})
        entries = {each.position: each.envelope for each in (await self._log.at(positions) if positions else ())}
        found = {
            each.n: self._names(each.delivery, entries[each.delivery.position])
            for each in rows
            if each.delivery.position in entries
        }
        return {n: key for n, key in found.items() if key is not None}

    async def _forget(self, start: int, at: int) -> None:
        """Forget what closed before then, but what is being sent once more; say that what has closed is noted."""
        after: bytes | None = None
        while True:
            rows = await self._store.notes_between(self._scope.name, "mirror", after=after, limit=10 * PAGE)
            old = [each for each in (Mirrored.of(*row) for row in rows) if each.rank.at < start]
            is_last = len(rows) < 10 * PAGE
            async with self._holding.held() as (_, book, record):
                open = await book.open_at([each.at for each in old])
                gone = [each for each in old if each.at not in open]
                await book.write_mirror(dict.fromkeys(each.at for each in gone))
                await book.write_sent(dict.fromkeys(each.at for each in gone))
                await book.write_dirty(dict.fromkeys(each.key for each in gone))
                live = record.live - sum(map(_live, gone))
                await book.write(replace(record, live=live, mirrored=at if is_last else record.mirrored))
            if is_last:
                return
            after = rows[-1][0]


def _live(held: Mirrored | None) -> int:
    return int(held is not None and held.rank.kind == PUT)


def _is_of(finding: Finding, closed: ClosedDelivery) -> bool:
    """Say whether a delivery was made for a finding that is not closed by its receiver having it."""
    return finding.state in ("open", "parked") and closed.delivery.run == run_of(finding)


def _note(noted: _Noted, key: str, closed: ClosedDelivery, held: Mirrored | None, finding: Finding | None) -> None:
    """Note one delivery. `held`: what is noted of its id; `finding`: the one that it was made for."""
    at, state = Listed.at(key), closed.state
    if finding is not None:
        become = {"delivered": "merged", "dead": "parked"}.get(state, "waived")
        noted.findings.append(replace(finding, state=become))
    if state == "delivered":
        is_newer = held is None or held.rank.at < closed.closed
        kind = PUT if is_newer else None
    elif state == "dead":  # one that another run has delivered is there all the same
        kind = DELETE if held is None or held.rank.kind != PUT or finding is not None else None
        if finding is not None:
            noted.excepted[key] = Dirty(
                key=key, reason="parked", since=closed.closed, due=closed.closed, is_given_up=True
            )
    else:  # nobody wants it any more
        if finding is None:
            if held is not None and held.rank.kind != PUT and held.rank.at < closed.closed:
                noted.mirror[at] = noted.sent[at] = None
            return
        kind, noted.excepted[key] = DELETE, None
    if kind is not None:
        noted.mirror[at] = Mirrored(key, at, Rank(closed.closed, 1, kind, hash_of(closed.body_hash)))
        noted.sent[at] = closed.delivery
