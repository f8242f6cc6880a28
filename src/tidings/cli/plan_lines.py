"""Plans and answers as lines for people, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tidings.versions.answer import AsOf, Reason
from tidings.versions.census import versions_told
from tidings.versions.plan import Plan, Row, Running, Served
from tidings.versions.reasons.names import second_of

NAME, RELEASE, DOES = 11, 10, 28
"""How wide the columns are at least."""


def head_line(answer: str, title: str, as_of: AsOf) -> str:
    """Return the first line: the answer, what it is about, and when that was true."""
    place = f"as of {second_of(as_of.time)}, position {as_of.position}, census {as_of.census}"
    return f"{answer:<4} {title}     {place}"


def plan_lines(plan: Plan, as_of: AsOf) -> Iterator[str]:
    """Yield the lines of a plan."""
    yield head_line(plan.answer, f"{plan.type} {plan.of} -> {plan.to}", as_of)
    cells = [line for row in plan.rows for line in _cells(row, plan.to)] + [_served(each) for each in plan.served]
    widths = [
        max([least, *(len(cell[n]) + gap for cell in cells)])
        for n, (least, gap) in enumerate(((NAME, 2), (RELEASE, 3), (DOES, 3)), 1)
    ]
    for place, name, release, does, state in cells:
        line = f"  {place:<2}{name:<{widths[0]}}{release:<{widths[1]}}{does:<{widths[2]}}{state}"
        yield line.rstrip()
    yield from reason_lines(plan.reasons, plan.next_steps)


def reason_lines(reasons: Sequence[Reason], steps: Sequence[str], notes: Sequence[str] = ()) -> Iterator[str]:
    """Yield why, what is to be known beside that, and what to do next."""
    width = max((len(each.code) for each in reasons), default=0)
    for n, each in enumerate(reasons):
        yield f"  {'why' if n == 0 else '':<4}  {each.code:<{width}}  {each.text}"
    for note in notes:
        yield f"  note  {note}"
    if steps:
        yield f"  next  {'; '.join(steps)}"


def _cells(row: Row, to: int) -> Iterator[tuple[str, str, str, str, str]]:
    releases = [each.revision for each in row.running]
    for n, each in enumerate(row.running):
        first = n == 0
        release = f"{each.revision or '-':<{max([4, *map(len, releases)])}} x{each.count}"
        yield (
            str(row.place) if first else "",
            row.service if first else "",
            release,
            _does(row, each, to),
            (row.state if first else ""),
        )


def _does(row: Row, running: Running, to: int) -> str:
    said = []
    if running.accepts:
        tolerated = f" ({to} tolerated)" if running.tolerates else ""
        said.append(f"accepts {versions_told(running.accepts)}{tolerated}")
    if running.emits:
        said.append(f"emits {versions_told(running.emits)}")
        if row.writes is not None:
            said.append(f"writes {row.writes}")
    return ", ".join(said)


def _served(each: Served) -> tuple[str, str, str, str, str]:
    way = " -> ".join(map(str, each.path))
    does = f"served {way}" if len(each.path) > 1 else "served as it is" if each.path else "cannot be served"
    return "", each.endpoint, f"pin {each.pin}", does, f"loses {', '.join(each.loses)}" if each.loses else ""
