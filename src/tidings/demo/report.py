"""What the demonstration found, as data and as a table. A line is right or it is not; nothing is rounded up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass

from rich.markup import escape
from rich.table import Table

from tidings.demo.truth import Rows, View
from tidings.wording import counted

FOUND_MAX = 72
"""Characters of what was found, in a line: a verdict is read beside it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was compared.

    `detail` names the first differences. `otherwise`: what there would be, had each arrival been taken as it came.
    """

    what: str
    found: str
    right: bool
    detail: str = ""
    otherwise: str = ""


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
        return {
            "seed": self.seed,
            "events": self.events,
            "agrees": self.agrees,
            "lines": [asdict(line) for line in self.lines],
            "facts": dict(self.facts),
        }


def compare_view(view: View, truth: Rows, rows: Rows, *, taken: Rows) -> Line:
    """Compare a view with the generator's truth, row by row.

    `taken`: the rows, had each arrival been taken as it came.
    """
    right = sum(rows.get(key) == row for key, row in truth.items())
    surplus = rows.keys() - truth.keys()
    wrong = [f"{key}: {rows.get(key)} instead of {row}" for key, row in truth.items() if rows.get(key) != row]
    detail = "; ".join(wrong[:3] + [f"{key}: {rows[key]} should not be there" for key in sorted(surplus)[:3]])
    found = f"{right:,} of {counted(len(truth), 'row')} right" + (f", {len(surplus):,} too many" if surplus else "")
    spoiled = sum(taken.get(key) != truth.get(key) for key in truth.keys() | taken.keys())
    is_right = right == len(truth) and not surplus
    return Line(".".join(view), found, is_right, detail, f"{counted(spoiled, 'row')} wrong" if spoiled else "")


def compare_log(acknowledged: Collection[tuple[str, str]], log: Counter[tuple[str, str]], *, duplicates: int) -> Line:
    """Every acknowledged event must stand in the log, and nothing twice."""
    lost = [identity for identity in acknowledged if identity not in log]
    twice = [identity for identity, times in log.items() if times > 1]
    found = f"{len(acknowledged) - len(lost):,} of {counted(len(acknowledged), 'acknowledged event')} kept"
    found += f", {len(twice):,} twice" if twice else ", each once"
    detail = f"lost {lost[:3]} twice {twice[:3]}" if lost or twice else ""
    otherwise = f"{counted(duplicates, 'event')} more" if duplicates else ""
    return Line("log", found, not lost and not twice, detail, otherwise)


def facts_table(report: Report) -> Table:
    """Draw what happened on the way."""
    table = _table("", "")
    for what, found in report.facts:
        table.add_row(f"  [bold]{what}[/]", escape(found))
    return table


def lines_table(report: Report) -> Table:
    """Draw what was compared: the verdict first, for what was found may take several lines."""
    table = _table("", "", "[dim]found[/]", "[dim]had each arrival been taken as it came[/]")
    table.columns[2].max_width = FOUND_MAX
    for line in report.lines:
        verdict = "[green]right[/]" if line.right else "[bold red]WRONG[/]"
        table.add_row(f"  [bold]{line.what}[/]", verdict, escape(line.found), f"[yellow]{escape(line.otherwise)}[/]")
        if line.detail and not line.right:
            table.add_row("", "", f"[red]{escape(line.detail)}[/]", "")
    return table


def _table(*heads: str) -> Table:
    table = Table(box=None, show_header=any(heads), pad_edge=False, header_style="")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
