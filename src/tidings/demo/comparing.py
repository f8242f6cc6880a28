"""Everything that the server holds in the end, compared with what truly happened."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tidings.demo.client import Reader, Tally
from tidings.demo.mail import compare_mail, due_greetings, greeted_again, read_calls
from tidings.demo.plan import Plan
from tidings.demo.report import Line, compare_log, compare_view
from tidings.demo.server import Place
from tidings.demo.telling import TILL
from tidings.demo.truth import View
from tidings.demo.visitors import decide
from tidings.operations.progress import Progress
from tidings.wording import counted


class Comparison:
    """Reads everything back, by HTTP and by command line."""

    def __init__(self, plan: Plan, tally: Tally, reader: Reader, place: Place, progress: Progress) -> None:
        self._plan = plan
        self._tally = tally
        self._reader = reader
        self._place = place
        self._progress = progress

    async def lines(self, told: Mapping[str, Any]) -> list[Line]:
        """Compare it all, a line for each thing. `told`: what Till says that it told."""
        plan, tally = self._plan, self._tally
        acknowledged = {*tally.positions, *((TILL, id) for id in told["taken"])}
        log = compare_log(acknowledged, await self._reader.identities(), duplicates=tally.duplicates + told["known"])
        lines = [log, self._answers(), await self._replay(), *await self._views(), await self._refusals()]
        refold, parked = await asyncio.gather(self._refold(), self._nothing_parked())
        lines.append(refold)
        calls = read_calls(self._place.mailbox)
        lines.append(compare_mail(due_greetings(plan.history), calls, again=greeted_again(plan.arrivals)))
        lines.append(parked)
        return lines

    async def _views(self) -> list[Line]:
        truth, taken = self._plan.rows(self._plan.history), self._plan.rows(self._plan.came)
        lines = []
        for place, (view, rows) in enumerate(truth.items()):
            self._progress("comparing every view with the truth", place, len(truth))
            lines.append(compare_view(view, rows, await self._reader.rows(view, rows), taken=taken[view]))
        return lines

    def _answers(self) -> Line:
        wrong = self._tally.unexpected
        total = sum(self._tally.answers.values())
        return Line("answers", f"{total - len(wrong):,} of {total:,} as promised", not wrong, "; ".join(wrong[:3]))

    async def _refusals(self) -> Line:
        """Each wish for which there was no slot must have been refused, once; and no other."""
        decisions, _ = decide(self._plan.wishes)
        due = {decision.wish.id for decision in decisions if decision.type == "bookmark-refused"}
        found = await self._reader.causes("bookmark-refused")
        right = sum(found[wish] == 1 for wish in due)
        wrong = sorted(wish for wish in found.keys() | due if found[wish] != (wish in due))
        said = f"{right:,} of {counted(len(due), 'bookmark')} beyond a visitor's limit refused, once each"
        return Line("refusals", said, not wrong, ", ".join(wrong[:3]))

    async def _replay(self) -> Line:
        """A view is built anew from all that is stored, in whatever version."""
        self._progress("building a view anew", 0, 1)
        view: View = ("bookmarks", "bookmark")
        await self._place.ask("views", "rebuild", ".".join(view))
        truth = self._plan.rows(self._plan.told)[view]
        rows = await self._reader.rows(view, truth)
        right = sum(rows.get(key) == row for key, row in truth.items())
        found = f"{right:,} of {counted(len(truth), 'bookmark')} right after a replay of every version into a new table"
        return Line("replay", found, rows == truth)

    async def _refold(self) -> Line:
        self._progress("comparing every view with a refold", 0, 1)
        found = await self._place.ask("views", "verify")
        wrong = [f"{view['service']}.{view['view']}" for view in found if not view["equal"]]
        right = (
            f"{len(found) - len(wrong)} of {counted(len(found), 'table equals', 'tables equal')} a refold of the log"
        )
        return Line("refold", right, bool(found) and not wrong, ", ".join(wrong))

    async def _nothing_parked(self) -> Line:
        parked = await self._place.ask("dead", "list", "--kind", "handler")  # those of Partner are accounted for there
        first = "; ".join(f"{each['consumer']} {each['subject']}: {each['error']}" for each in parked[:3])
        return Line("dead letters", f"{counted(len(parked), 'subject')} parked", not parked, first)
