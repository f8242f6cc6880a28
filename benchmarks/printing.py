"""Results as text, as a table in Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.figures import Check, Figure, Result, spell


def text(result: Result) -> str:
    """Return one measure's figures, and what was promised of them."""
    lines = [result.measure]
    width = max((len(figure.name) for figure in result.figures), default=0)
    lines += [f"  {figure.name:<{width}}  {figure}" for figure in result.figures]
    lines += [f"  {check}" for check in result.checks]
    lines += [f"  ({note})" for note in result.notes]
    return "\n".join(lines)


def markdown(machine: Mapping[str, str], results: Sequence[Result]) -> str:
    """Return a table of what was promised and found, and below it what it was measured on."""
    lines = ["| measure | ours | beside it | found | promised | |", "|---|---|---|---|---|---|"]
    for result in results:
        lines += [_row(result.measure, check) for check in result.checks]
    told = "; ".join(f"{name}: {value}" for name, value in machine.items())
    return "\n".join([*lines, "", f"Medians [lowest-highest] of rounds taken in turns, ratios round by round. {told}."])


def _row(measure: str, check: Check) -> str:
    unit = f" {check.unit}" if check.unit else ""
    found = f"{spell(check.median)}{unit} [{spell(min(check.rounds))}-{spell(max(check.rounds))}]"
    promised = f"{check.sense} {spell(check.limit)}{unit}"
    verdict = "met" if check.passes else "**missed**"
    if check.ours is None or check.beside is None:
        return f"| {measure}: {check.name} | {spell(check.median)}{unit} | | {found} | {promised} | {verdict} |"
    ours = f"{spell(check.ours.median)} {check.ours.unit}"
    beside = f"{check.beside.name}: {spell(check.beside.median)} {check.beside.unit}"
    return f"| {measure}: {check.name} | {ours} | {beside} | {found} | {promised} | {verdict} |"


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
