"""What is kept of a scope as a whole, and of each run."""

from __future__ import annotations

from typing import Literal

import msgspec

from tidings.reconciliation.rules.delays import GRACE_US, Delays
from tidings.reconciliation.rules.floors import NEVER
from tidings.reconciliation.rules.stamps import Agreed

Mode = Literal["plan", "run", "approve", "changed", "key"]
RunState = Literal["running", "paused", "held", "incomplete", "failed", "done"]


HELD_NAMED = 1_000
"""So many of the keys that a run holds are kept with it, which is written with each answer."""
KEYS = "keys"
"""What is named as the run that found what is read before there was any."""


class Lease(msgspec.Struct, frozen=True):
    """Who has something to themselves, until when; `epoch` rises with each owner."""

    owner: str = ""
    epoch: int = 0
    until: int = 0


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A scope. Times are µs since 1970.

    `definition`: of the adapter and the view that the floors are of; `planned`: the one that a dry run was made of.
    `owner`, `epoch`, `until`: who reads the whole list now; `changes`: who reads what has changed, `pass_`: by which
    run. `least`: what reads proved that have ended, so that no later one proves less; `line`: what the provider's
    clock is off from ours, so that a process's first date is compared with it. `ticket`: the last one given.
    `live`: how many items the mirror shows; `mirrored`: the position up to which it has what is in the log, of an
    endpoint when it knew last what has closed; `purged`: how many tombstones were removed. `deletes`: when, and how
    many, of late; of an endpoint: what was sent once more. `breaches`: what the provider did not keep, when.
    `corrections`: findings that counted, by kind and cause. `delays`: of events of late, from what they tell to when
    they came; `lates`: of those that came once a run had found what they tell.
    """

    definition: str = ""
    planned: str = ""
    secret: bytes = b""
    owner: str = ""
    epoch: int = 0
    until: int = 0
    changes: Lease = Lease()
    pass_: str = ""
    least: int = NEVER
    line: Agreed | None = None
    ticket: int = 0
    live: int = 0
    purged: int = 0
    run: str = ""
    last: str = ""
    next: int = 0
    changes_next: int = 0
    mirrored: int = 0
    deletes: tuple[tuple[int, int], ...] = ()
    breaches: tuple[tuple[str, int], ...] = ()
    violations: int = 0
    corrections: dict[str, int] = {}
    late: int = 0
    merges: int = 0
    delays: Delays = Delays()
    lates: Delays = Delays()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `cursor`, `after`: where its next page begins; `mark`: an earlier cursor, see `marked`. `before`,
    `bounds`: how far was told before, after.

    `old`: rows that say less than what is known already.
    `counted`: all rows that were listed, those that nobody can read or that are marked as gone, too: what a `total` is
    compared with. `is_unseen_asked`: what a list did not show of which nothing is known page by page is suspected
    already. `open_suspects`: of those not listed, how many it could not decide.
    `unreadable`: items that the copy cannot hold, or no event can tell of; `nameless`: those without a key; `unread`:
    why that is so of the first one. `asked`: differences of which somebody has to decide. `control`: an item that its
    list showed, whose answer shows that answers can be believed. `since`: from when on a pass reads what has changed;
    `goes_on`: where its cursors begin; `is_closing`: its last page is read once more. `grace`: how old a change may be
    before its event is missed, µs.
    `merges`: how many events the mirror had merged at its start. `why`: what it ended, or waits, for. `held`: keys that
    it holds, up to `HELD_NAMED`, and `held_more`: how many more there are; `epoch`: of who held them. `at_most`,
    `keys`: of an approval: how many deletes, and of which keys, none where they are too many to be named; `upto`: of
    those that were suspected by this epoch and were not listed since; `of`: the run that held them.
    """

    id: str
    mode: Mode
    definition: str
    state: RunState = "running"
    is_dry: bool = False
    presence_only: str = ""
    started: int = 0
    ended: int | None = None
    cursor: str | None = None
    after: bytes = b""
    mark: str | None = None
    is_listed: bool = False
    is_unseen_asked: bool = False
    pages: int = 0
    empty: int = 0
    rows: int = 0
    counted: int = 0
    equal: int = 0
    old: int = 0
    newer_here: int = 0
    appended: int = 0
    proposed: int = 0
    suspects: int = 0
    deleted: int = 0
    asked: int = 0
    omitted: int = 0
    unreadable: int = 0
    nameless: int = 0
    unread: str = ""
    open_suspects: int = 0
    restarts: int = 0
    tries: int = 0
    first_as_of: int | None = None
    first_ticket: int = 0
    breaches: tuple[str, ...] = ()
    total: int | None = None
    merges: int = 0
    control: str = ""
    since: int | None = None
    goes_on: int = 0
    is_closing: bool = False
    before: tuple[int, int] = (NEVER, NEVER)
    bounds: tuple[int, int] = (NEVER, NEVER)
    at_most: int | None = None
    keys: tuple[str, ...] = ()
    upto: int | None = None
    of: str = ""
    held: tuple[str, ...] = ()
    held_more: int = 0
    epoch: int = 0
    why: str = ""
    grace: int = GRACE_US

    @property
    def held_count(self) -> int:
        """How many items it holds."""
        return len(self.held) + self.held_more
