"""Results as text, as a table in Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.figures import Check, Figure, Result, spell

HEAD = ("| measure | beside it | found | aim |", "|---|---|---|---|")


def text(result: Result) -> str:
    """Return one measure's figures, and what was promised of them."""
    lines = [result.measure]
    width = max((len(figure.name) for figure in result.figures), default=0)
    lines += [f"  {figure.name:<{width}}  {figure}" for figure in result.figures]
    lines += [f"  {check}" for check in result.checks]
    lines += [f"  ({note})" for note in result.notes]
    return "\n".join(lines)


def markdown(machine: Mapping[str, str], results: Sequence[Result]) -> str:
    """Return a table with a row for each measure, what stands beside it and what was found, and what it was run on."""
    lines = [*HEAD, *map(_row, results)]
    told = "; ".join(f"{name}: {value}" for name, value in machine.items())
    return "\n".join([*lines, "", f"Medians [lowest-highest] of rounds taken in turns, ratios round by round. {told}."])


def _row(result: Result) -> str:
    beside = dict.fromkeys(each.name if each.beside is None else each.beside.name for each in result.checks)
    found = [_found(check) for check in result.checks]
    aims = [f"{'≥' if check.sense == 'at least' else '≤'} {_spelt(check.limit, check)}" for check in result.checks]
    return f"| {result.measure} | {'; '.join(beside)} | {'; '.join(found)} | {'; '.join(aims)} |"


def _found(check: Check) -> str:
    found = f"{_spelt(check.median, check)} [{spell(min(check.rounds))}-{spell(max(check.rounds))}]"
    return found if check.passes else f"**{found}**"


def _spelt(number: float, check: Check) -> str:
    return f"{spell(number)} {check.unit}" if check.unit else spell(number)


def json(machine: Mapping[str, str], results: Sequence[Result]) -> str:
    """Return everything there is."""
    told = {"machine": machine, "results": [_told(result) for result in results]}
    return msgspec.json.format(msgspec.json.encode(told)).decode()


def _told(result: Result) -> dict[str, object]:
    return {
        "measure": result.measure,
        "figures": [_figure(figure) for figure in result.figures],
        "checks": [_check(check) for check in result.checks],
        "notes": result.notes,
    }


def _figure(figure: Figure) -> dict[str, object]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "median": figure.median,
        "rounds": figure.rounds,
        "flushes_per_event": figure.flushes,
    }


def _check(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "median": check.median,
        "rounds": check.rounds,
        check.sense: check.limit,
        "unit": check.unit,
        "passes": check.passes,
    }
