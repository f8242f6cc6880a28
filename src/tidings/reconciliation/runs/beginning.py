"""How a run begins: the one that was left where it stood is taken up again, or another one is made."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from tidings.errors import UnderWayError
from tidings.events.identity import uuid7
from tidings.ports import Ports
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.records import Mode, Record, Run
from tidings.reconciliation.rules.delays import grace_of
from tidings.reconciliation.rules.facts import Paging, ProviderFacts, micros

LIES, LIES_US = 3, 7 * 86_400_000_000
_ID_BITS = 74
_UNDER_WAY = ("running", "paused")


@dataclass(frozen=True, slots=True)
class Approval:
    """How many deletes may be made, of which keys that were held, by which run. `upto`: see `Run`."""

    at_most: int
    keys: frozenset[str]
    upto: int | None = None
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What run is wanted. `applies`: also if no dry run was made of this definition. `approval`: None of an approval
    takes up the one that waits."""

    mode: Mode
    applies: bool = False
    approval: Approval | None = None


class Beginning:
    """Begins the runs of one scope. `definition`: of what is compared with what; another one begins with a dry run."""

    def __init__(self, facts: ProviderFacts, definition: str, ports: Ports) -> None:
        self._facts = facts
        self._definition = definition
        self._ports = ports

    async def begin(self, book: Book, record: Record, wanted: Wanted) -> Run:
        """Return the run, as it is kept from now on; whoever writes the record says that it is the scope's.

        UnderWayError if it is a plan that would end a run that was left where it stood."""
        kept = await book.run(record.run) if record.run else None
        if kept is not None and kept.state in _UNDER_WAY:
            if self._is_that(kept, wanted):
                run = replace(kept, state="running", tries=0, why="")
                await book.write_run(run)
                return run
            if wanted.mode == "plan" and not kept.is_dry:
                raise UnderWayError(f"the run {kept.id} is {kept.state}: have it go on to its end first, or cancel it")
            await book.write_run(replace(kept, state="failed", ended=self._now, why="another run has taken its place"))
        run = self._new(record, wanted, await book.bounds())
        await book.write_run(run)
        return run

    def _is_that(self, kept: Run, wanted: Wanted) -> bool:
        """Say whether a run that was left where it stood is the one that is wanted."""
        if (kept.mode, kept.definition) != (wanted.mode, self._definition) or (wanted.applies and kept.is_dry):
            return False
        approval = wanted.approval
        return approval is None or approval == Approval(kept.at_most or 0, frozenset(kept.keys), kept.upto, kept.of)

    def _new(self, record: Record, wanted: Wanted, bounds: tuple[int, int]) -> Run:
        now, approval = self._now, wanted.approval
        return Run(
            id=uuid7(now, self._ports.random.getrandbits(_ID_BITS)),
            mode="run" if wanted.mode == "approve" and approval is None else wanted.mode,
            definition=self._definition,
            is_dry=wanted.mode == "plan"
            or not (wanted.applies or self._definition in (record.planned, record.definition)),
            presence_only=self._presence_only(record),
            started=now,
            merges=record.merges,
            grace=grace_of(record.delays, horizon=micros(self._facts.redelivery_horizon)),
            before=bounds,
            at_most=None if approval is None else approval.at_most,
            keys=() if approval is None else tuple(sorted(approval.keys)),
            upto=None if approval is None else approval.upto,
            of="" if approval is None else approval.of,
        )

    def _presence_only(self, record: Record) -> str:
        if not self._facts.proves_absence:
            return "paging" if self._facts.paging is Paging.OFFSET else "order"
        return "omitted" if record.definition == self._definition and has_lied(record) else ""

    @property
    def _now(self) -> int:
        return self._ports.clock.now_us()


def has_lied(record: Record) -> bool:
    """Say whether a list left items out so often that it proves nothing of what it does not show.

    Time mends no list, so that lasts until somebody who has looked into it says that it is another one.
    """
    lies = [at for fact, at in record.breaches if fact == "omitted"]
    return any(last - first <= LIES_US for first, last in zip(lies, lies[LIES - 1 :], strict=False))


def begun_anew(record: Record, definition: str) -> Record:
    """Return the record once its list is another one: what the former one left out says nothing of this one."""
    return replace(
        record, definition=definition, breaches=tuple(each for each in record.breaches if each[0] != "omitted")
    )
