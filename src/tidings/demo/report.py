"""What the demonstration found, as data and as a table. A line is right or it is not; nothing is rounded up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from tidings.demo.truth import Rows, View


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was compared. `detail` names the first differences."""

    what: str
    found: str
    right: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All lines, and what happened on the way. `agrees`: every line is right."""

    seed: int
    events: int
    lines: tuple[Line, ...]
    facts: tuple[tuple[str, str], ...]

    @property
    def agrees(self) -> bool:
        return all(line.right for line in self.lines)

    def as_json(self) -> dict[str, object]:
        lines = [
            {"what": line.what, "found": line.found, "right": line.right, "detail": line.detail} for line in self.lines
        ]
        return {
            "seed": self.seed,
            "events": self.events,
            "agrees": self.agrees,
            "lines": lines,
            "facts": dict(self.facts),
        }


def compare_view(view: View, truth: Rows, rows: Rows) -> Line:
    """Compare a view with the generator's truth, row by row."""
    right = sum(rows.get(key) == row for key, row in truth.items())
    surplus = rows.keys() - truth.keys()
    wrong = [f"{key}: {rows.get(key)} instead of {row}" for key, row in truth.items() if rows.get(key) != row]
    detail = "; ".join(wrong[:3] + [f"{key}: {rows[key]} should not be there" for key in sorted(surplus)[:3]])
    found = f"{right:,} of {len(truth):,} rows right" + (f", {len(surplus):,} too many" if surplus else "")
    return Line(f"view {'.'.join(view)}", found, right == len(truth) and not surplus, detail)


def compare_log(acknowledged: Collection[tuple[str, str]], log: Counter[tuple[str, str]]) -> Line:
    """Every acknowledged event must stand in the log, and nothing twice."""
    lost = [identity for identity in acknowledged if identity not in log]
    twice = [identity for identity, times in log.items() if times > 1]
    found = f"{len(acknowledged) - len(lost):,} of {len(acknowledged):,} acknowledged events kept"
    found += f", {len(twice):,} twice" if twice else ", each once"
    return Line("log", found, not lost and not twice, f"lost {lost[:3]} twice {twice[:3]}" if lost or twice else "")


def facts_table(report: Report) -> Table:
    """Draw what happened on the way."""
    table = _table(2)
    for what, found in report.facts:
        table.add_row(f"  [bold]{what}[/]", escape(found))
    return table


def lines_table(report: Report) -> Table:
    """Draw what was compared."""
    table = _table(3)
    for line in report.lines:
        table.add_row(f"  [bold]{line.what}[/]", escape(line.found), "[green]right[/]" if line.right else _WRONG)
        if line.detail and not line.right:
            table.add_row("", f"[red]{escape(line.detail)}[/]", "")
    return table


def _table(columns: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(columns):
        table.add_column(overflow="fold")
    return table


_WRONG = "[bold red]WRONG[/]"
