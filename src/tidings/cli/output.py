"""How results are shown: a table for people, JSON for programs, a progress bar only where somebody looks at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.tree import Tree

from tidings.faces.visible import visible_json, visible_lines
from tidings.operations.progress import Progress, unwatched

WIDE = 10_000
"""A pipe has no edge, so nothing is wrapped or cut for it."""
NARROW = 20
"""A column is not folded to less than this."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a tree, with those below it."""

    label: str
    below: tuple[Branch, ...]


class Output:
    """Standard output for results, standard error for progress."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, emoji=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, emoji=False, soft_wrap=True, width=WIDE)
        self.errors = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

    @property
    def _speaks_unicode(self) -> bool:
        return self.console.encoding.lower().startswith("utf")

    def rows(self, rows: Sequence[Mapping[str, Any]], *, empty: str, as_named: bool = False) -> None:
        """Show rows of the same members: as a JSON array, or as a table; `empty` is said when there are none.

        A table that would not fit is shown row by row, a line for each member. `as_named`: the members' names are the
        user's own, and stay as they are.
        """
        if self.as_json:
            self.json(list(rows))
        elif not rows:
            self.say(empty)
        elif _fits(rows, self.console.width):
            self.show(_table([{_title(name, as_named): value for name, value in row.items()} for row in rows]))
        else:
            for n, row in enumerate(rows):
                if n:
                    self.say("")
                self.fields(row, as_named=as_named)

    def fields(self, fields: Mapping[str, Any], *, as_named: bool = False) -> None:
        """Show one thing: as a JSON object, or a line for each member; `as_named` as in `rows`."""
        if self.as_json:
            self.json(dict(fields))
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        for _ in range(2):
            table.add_column(overflow="fold")
        for name, value in fields.items():
            table.add_row(f"[bold]{_plain(_title(name, as_named))}[/]", _plain(text_of(value)))
        self.show(table)

    def show(self, table: Table) -> None:
        """Show people a table, without blanks that nobody sees at the ends of the lines of a pipe."""
        if self.console.is_terminal:
            self.console.print(table)
            return
        with self.console.capture() as captured:
            self.console.print(table)
        self.console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().removesuffix("\n").split("\n")))

    def tree(self, label: str, branches: Sequence[Branch]) -> None:
        """Show people a tree; programs that asked for JSON do not get it."""
        if not self.as_json:
            tree = Tree(_plain(label))
            _grow(tree, branches)
            # It would be cut at a terminal's edge, and then half an id stands there.
            Console(file=self.console.file, highlight=False, emoji=False, width=WIDE).print(tree)

    def json(self, value: Any) -> None:
        """Print JSON, on one line, at once."""
        text = json.dumps(value, ensure_ascii=not self._speaks_unicode, default=_built)
        self.console.out(visible_json(text), highlight=False)
        self.console.file.flush()

    def say(self, text: str) -> None:
        """Say a sentence to people; programs that asked for JSON do not get it."""
        if not self.as_json:
            self.console.print(_plain(text))
            self.console.file.flush()

    def warn(self, text: str) -> None:
        """Say on standard error, to people and to whoever reads a program's log, what is probably not as was meant."""
        self.errors.print(_plain(f"tidings: {text}"))

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Give a function that is told (what, done, of how many); it draws a bar on a terminal, nothing in a pipe."""
        if not self.errors.is_terminal:
            yield unwatched
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=self.errors, transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def _built(value: Any) -> Any:
    """Return what JSON has no word for as something that it has: what is JSON already is read."""
    import msgspec

    return json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else str(value)


def _grow(tree: Tree, branches: Sequence[Branch]) -> None:
    for branch in branches:
        _grow(tree.add(_plain(branch.label)), branch.below)


def _title(name: str, as_named: bool) -> str:
    return name if as_named else name.replace("_", " ")


def _fits(rows: Sequence[Mapping[str, Any]], width: int) -> bool:
    """Say whether a table of these is no wider, its widest column folded if that must be."""
    columns = [max(len(name), *(cell_len(visible_lines(text_of(row[name]))) for row in rows)) + 2 for name in rows[0]]
    return sum(columns) - max(columns) + min(max(columns), NARROW + 2) <= width + 2


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, value in rows[0].items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(_plain(name), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_plain(text_of(value)) for value in row.values()))
    return table


def _plain(text: str) -> str:
    """Return the text so that it is printed as it is, and can do nothing to a terminal: it may come from outside."""
    return escape(visible_lines(text))


def text_of(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
