"""How results are shown: a table for people, JSON for programs, a progress bar only where somebody looks at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tidings.demo.run import Progress as Report


class Output:
    """Standard output for results, standard error for progress and errors."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(soft_wrap=True)
        self.errors = Console(stderr=True, soft_wrap=True)

    def rows(self, rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
        """Show rows of the same members: as a JSON array, or as a table; `empty` is said when there are none."""
        if self.as_json:
            self.json(list(rows))
        elif not rows:
            self.console.print(empty, highlight=False)
        else:
            self.console.print(_table(rows))

    def fields(self, fields: Mapping[str, Any]) -> None:
        """Show one thing: as a JSON object, or a line for each member."""
        if self.as_json:
            self.json(dict(fields))
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, value in fields.items():
            table.add_row(f"[bold]{escape(name)}[/]", escape(_text(value)))
        self.console.print(table)

    def json(self, value: Any) -> None:
        """Print JSON, on one line."""
        self.console.out(json.dumps(value, ensure_ascii=False, default=str), highlight=False)

    def say(self, text: str) -> None:
        """Say a sentence to people; programs that asked for JSON do not get it."""
        if not self.as_json:
            self.console.print(text, highlight=False)

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """Give a function that is told (what, done, of how many); it draws a bar on a terminal, nothing in a pipe."""
        if not self.errors.is_terminal:
            yield lambda what, done, total: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.errors, transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, value in rows[0].items():
        table.add_column(name.replace("_", " "), justify="right" if isinstance(value, int | float) else "left")
    for row in rows:
        table.add_row(*(escape(_text(value)) for value in row.values()))
    return table


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
