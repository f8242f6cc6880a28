"""One run: the whole list, page by page, each in one transaction, then what it does not show, item by item."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from tidings.ports import Observer
from tidings.reconciliation.copy.copying import Copies, copied, placed, stood
from tidings.reconciliation.copy.repairing import carried_out
from tidings.reconciliation.copy.showing import Shown, shown
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Suspect, key_place, place_key
from tidings.reconciliation.kept.records import Record, Run, RunState
from tidings.reconciliation.kept.suspecting import asked_told, holding, is_approved, others_told, unread_told
from tidings.reconciliation.listing import Page, Row, Seeks
from tidings.reconciliation.rules.facts import Capability, Order, Paging, ProviderFacts
from tidings.reconciliation.rules.floors import NEVER, Known
from tidings.reconciliation.rules.paging import CURSORS_MAX, EMPTY_MAX, Looked, hold_limit, look_at
from tidings.reconciliation.rules.places import START, WHOLE, Place
from tidings.reconciliation.rules.proofs import Proof
from tidings.reconciliation.runs.beginning import Beginning, Wanted, begun_anew
from tidings.reconciliation.runs.counting import answer, counted, difference, is_incomplete
from tidings.reconciliation.runs.holding import Holding, LostLeaseError, breached, last_of, let_go_of
from tidings.reconciliation.runs.pages import Seen, after, loops
from tidings.reconciliation.runs.reading import TRIES, Asking, NoReadError, ReadOf, unread, without_names
from tidings.reconciliation.runs.taking import TakingPages
from tidings.reconciliation.runs.verifying import DAY_US, Verifying

GROUP = 20
RESTARTS = 3


class Running:
    """Runs one scope."""

    def __init__(
        self,
        holding: Holding,
        asking: Asking,
        *,
        copying: Callable[[bytes], Copies],
        taking: TakingPages,
        verifying: Verifying,
        beginning: Beginning,
    ) -> None:
        self._listing = asking.listing
        self._holding = holding
        self._copying = copying
        self._taking = taking
        self._asking = asking
        self._verifying = verifying
        self._beginning = beginning
        self._secret = b""

    @property
    def _facts(self) -> ProviderFacts:
        return self._listing.facts

    @property
    def _observer(self) -> Observer:
        return self._holding.ports.observer

    async def run(self, wanted: Wanted, stopping: asyncio.Event) -> Run:
        """Run to the end, or until `stopping` is set: then it is taken up again where it stood.

        A run that this process makes is waited for. RefusedError while another process runs it.
        """
        async with self._holding.running():
            run = await self._begin(wanted)
            try:
                if why := await self._taking.prepare():
                    return await self._end(run, "failed", why)
                while run.state == "running" and not run.is_listed and not stopping.is_set():
                    run = await self._page(run)
                return await self._after_list(run, stopping) if run.state == "running" and run.is_listed else run
            except LostLeaseError:
                return run

    async def _begin(self, wanted: Wanted) -> Run:
        async with self._holding.open() as (_, book, record):
            taken, self._secret = self._holding.taken(record), record.secret
            run = await self._beginning.begin(book, record, wanted)
            if record.run and run.id != record.run:  # nobody counts any more what that one has listed
                await book.void([counted(record.run)])
            if not run.is_dry and record.definition != run.definition:
                await book.forget_proofs()  # they are of another adapter, or of another view
                taken = begun_anew(taken, run.definition)
            await book.write(replace(taken, run=run.id))
        if run.at_most is not None:
            self._holding.ports.points.at("reconcile:approval-begun")
        return run

    # the list
    async def _page(self, run: Run) -> Run:
        ticket = await self._ticket(run)
        try:
            limit = self._facts.page_limit
            read = await self._asking.page(run.cursor, limit, tries=run.tries, is_dry=run.is_dry)
        except NoReadError as error:
            self._observer.listed(self._holding.scope, "failed")
            return await self._no_read(run, error)
        self._holding.ports.points.at("reconcile:page-received")
        copying = self._copying(self._secret)
        known = await self._places(read.what.rows)
        rows = placed(read.what.rows, known)
        page = shown(copying, rows, latest=read.latest)
        looked = self._look(run, read, page, known)
        if looked.doubt == "order" and known:  # its rows are judged where they stood
            page = shown(copying, stood(rows, known), latest=read.latest)
        if loops(run, read.what.next_cursor) or run.pages >= CURSORS_MAX:
            return await self._end(run, "failed", "the cursors go round in circles", breach="cursor")
        if run.empty >= EMPTY_MAX and not page.keys:
            return await self._end(run, "failed", f"{EMPTY_MAX} pages in a row were empty", breach="empty")
        seen = Seen(
            shown=page,
            looked=looked,
            as_of=self._as_of(run, read),
            ticket=ticket,
            now=self._holding.now,
            told=partial(copied, copying, latest=read.latest),
        )
        listed = len(read.what.rows) + len(read.nameless)
        run = await self._take(without_names(run, read.nameless), read.what, seen, listed=listed)
        self._observer.listed(self._holding.scope, "doubted" if looked.doubt else "taken")
        if looked.doubt:
            self._observer.breached(self._holding.scope, looked.doubt)
        self._holding.ports.points.at("reconcile:page-committed")
        return run

    async def _ticket(self, run: Run) -> int:
        """Return what orders the page, where nothing else does: all of a list that is kept are of its first one's."""
        if self._facts.capability is not Capability.BARE:
            return 0
        is_kept = self._facts.paging is Paging.SNAPSHOT and run.first_ticket
        return run.first_ticket if is_kept else await self._holding.ticket()

    async def _take(self, run: Run, page: Page, seen: Seen, *, listed: int) -> Run:
        async with self._holding.held(self._taking.ahead(run, seen)) as (unit, book, record):
            kept = await book.run(run.id)
            if kept is None or (kept.after, kept.pages) != (run.after, run.pages):
                raise LostLeaseError
            total = run.total if page.total is None else page.total
            run = replace(run, total=total, counted=run.counted + listed)
            taken, found = await self._taking.take(book, record, run, self._taking.dated(record, seen))
            self._holding.ports.points.at("reconcile:page-judged")
            end = taken.looked.range.end
            record, run = after(
                record, run, taken, found, cursor=page.next_cursor, end=b"" if end is None else place_key(end)
            )
            if self._facts.seekable:  # it goes on: only one after the other are too fast
                run = replace(run, restarts=0)
            await carried_out(unit, found.repairs)
            await book.write(record)
            await book.write_run(run)
        return run

    def _as_of(self, run: Run, read: ReadOf[Page]) -> int:
        """Return when the page's data was fixed: of a list that is kept for its cursors, as the first page was made."""
        if self._facts.paging is Paging.SNAPSHOT and run.first_as_of is not None:
            return min(read.as_of, run.first_as_of)
        return read.as_of

    async def _places(self, rows: Sequence[Row]) -> Mapping[str, bytes]:
        """Return where items stood before, by key; nothing where the key is the place."""
        if self._facts.order is Order.KEY:
            return {}
        async with self._holding.open() as (_, book, _record):
            return await book.places(row.key for row in rows)

    def _look(self, run: Run, read: ReadOf[Page], shown: Shown, known: Mapping[str, bytes]) -> Looked:
        columns = zip(shown.keys, shown.ats, shown.places, strict=True) if known else ()
        moved = [place for key, at, place in columns if known.get(key, at) != at]
        return look_at(
            self._standing(shown),
            after=_began(run),
            next_cursor=read.what.next_cursor,
            moved=moved,
            nameless=len(read.nameless),
        )

    def _standing(self, shown: Shown) -> Sequence[Place]:
        """Return the places of a page's rows, but for those of which nobody can say where they stand."""
        if self._facts.order is Order.KEY:
            return shown.places
        pairs = zip(shown.rows, shown.places, strict=True)
        return [place for row, place in pairs if row.order is not None or not row.unreadable]

    async def _no_read(self, run: Run, error: NoReadError) -> Run:
        if error.why == "cursor":
            return await self._cursor_expired(run)
        if error.why == "authorisation":
            return await self._end(run, "failed", str(error))
        run = unread(run, error)
        if run.tries >= TRIES:
            return await self._end(run, "paused", str(error))
        if error.wait:
            await self._holding.ports.clock.sleep(error.wait)
        return await self._keep(run)

    async def _cursor_expired(self, run: Run) -> Run:
        if run.restarts >= RESTARTS:
            return await self._end(run, "failed", "cursors expire too fast", breach="cursor_expires_too_fast")
        run = replace(run, restarts=run.restarts + 1, mark=None)
        if self._facts.seekable and run.after:
            order = _began(run)
            seeks: Seeks = self._listing  # type: ignore[assignment]
            return await self._keep(replace(run, cursor=seeks.cursor_after(order if len(order) > 1 else order[0])))
        return await self._keep(
            replace(run, cursor=None, after=b"", rows=0, counted=0, first_as_of=None, first_ticket=0)
        )

    # what the list does not show
    async def _after_list(self, run: Run, stopping: asyncio.Event) -> Run:
        async with self._holding.held() as (_, book, record):
            if run.presence_only not in ("", "drift") and not (run.is_dry or run.is_unseen_asked):
                run = await self._suspect_unseen(book, record, run)
            suspects = [each for each in (await book.suspects(WHOLE)).values() if each.run == run.id]
            is_short = is_incomplete(run, record)
            if is_short:
                await book.void(f"s:{each.key}" for each in suspects)
                if self._taking.repairs is not None:
                    await book.write_findings([self._taking.repairs.noted(difference(run), run, now=self._holding.now)])
        if is_short:
            why = f"the provider counts {run.total} items and has listed {run.counted}"
            return await self._end(run, "incomplete", why, breach="total")
        if run.is_dry:
            return await self._end(run, "done", unread_told(run))
        await answer(self._holding, run)
        if run.at_most is None and (why := self._too_many(record, len(suspects))):
            return await self._end(holding(run, suspects, record.epoch), "held", why)
        asked = suspects if run.at_most is None else [each for each in suspects if is_approved(run, each)]
        for start in range(0, len(asked), GROUP):
            if stopping.is_set():
                return run
            run = await self._verifying.suspects(run, asked[start : start + GROUP])
        return await self._asked(run)

    def _too_many(self, record: Record, suspects: int) -> str:
        """Return why so many are asked for only once somebody has approved it; nothing where they are not too many."""
        recent, limit = sum(n for at, n in record.deletes if at > self._holding.now - DAY_US), hold_limit(record.live)
        if not suspects or suspects + recent <= limit:
            return ""
        return f"{suspects:,} items are not listed, and {recent:,} were {self._taking.done} today: more than {limit:,}"

    async def _asked(self, run: Run) -> Run:
        """End a run that has asked for all that it suspects: what of an approval is left open stays held."""
        async with self._holding.open() as (_, book, record):
            left = [each for each in (await book.suspects(WHOLE)).values() if each.run == run.id]
        run, is_held = replace(run, open_suspects=len(left)), run.at_most is not None and bool(left)
        asked = [each for each in left if not is_held or is_approved(run, each)]
        others = [each for each in left if is_held and not is_approved(run, each)]
        told = (asked_told(run, asked) if asked or not others else "", others_told(others), unread_told(run))
        run = holding(run, left, record.epoch) if is_held else run
        return await self._end(run, "held" if is_held else "done", "; ".join(filter(None, told)))

    async def _suspect_unseen(self, book: Book, record: Record, run: Run) -> Run:
        """Have asked for what a list did not show that moves between pages: of itself nothing follows from that."""
        as_of = NEVER if run.first_as_of is None else run.first_as_of
        unseen, older = await book.unseen(run.id), await book.suspects(WHOLE)
        suspects = {}
        for each in unseen:
            found = Suspect(
                key=each.key,
                at=each.at,
                run=run.id,
                as_of=as_of,
                ticket=0,
                since=self._holding.now,
                epoch=record.epoch,
            )
            suspects[each.at] = found.after(older.get(each.at))
        await book.void(f"s:{each.key}" for each in older.values())
        await book.write_suspects({**dict.fromkeys(older), **suspects})
        if (
            self._taking.is_whole
            and not run.breaches
            and run.first_as_of is not None
            and not is_incomplete(run, record)
        ):
            await self._prove_whole(book, run, as_of, suspects.values())
        run = replace(run, suspects=run.suspects + len(suspects), is_unseen_asked=True)
        await book.write_run(run)
        return run

    async def _prove_whole(self, book: Book, run: Run, as_of: int, suspects: Iterable[Suspect]) -> None:
        open = (await book.open_findings(WHOLE)).values()
        waits = frozenset({f"f:{each.id}" for each in open} | {f"s:{each.key}" for each in suspects})
        floors = await book.floors(WHOLE)
        raised = floors.raised(WHOLE, Known(put=as_of, delete=as_of))
        await book.write_floors(floors, await book.prove(f"{run.id}.whole", Proof(WHOLE, as_of, waits, waits), raised))

    # what is kept
    async def _keep(self, run: Run) -> Run:
        async with self._holding.held() as (_, book, record):
            await book.write(record)
            await book.write_run(run)
        return run

    async def _end(self, run: Run, state: RunState, why: str, *, breach: str = "") -> Run:
        async with self._holding.held() as (_, book, record):
            run = replace(
                run,
                state=state,
                why=why,
                ended=None if state == "paused" else self._holding.now,
                bounds=await book.bounds(),
                breaches=(*run.breaches, breach) if breach else run.breaches,
            )
            if state in ("failed", "incomplete"):
                await book.void([counted(run.id)])
            planned = run.definition if run.is_dry and state in ("done", "incomplete") else record.planned
            last = record.last if state == "paused" else await last_of(book, record, run)
            await book.write(breached(replace(record, planned=planned, last=last), breach, self._holding.now))
            await book.write_run(run)
            await let_go_of(book, run)
        if breach:
            self._observer.breached(self._holding.scope, breach)
        if run.ended is not None:
            self._observer.reconciled(self._holding.scope, run.mode, (run.ended - run.started) / 1_000_000)
        self._holding.ports.points.at("reconcile:run-ended")
        return run


def _began(run: Run) -> Place:
    return key_place(run.after) if run.after else START
