"""`tidings demo`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli.output import Output
from tidings.cli.session import AsJson
from tidings.ports import Ports

if TYPE_CHECKING:
    from tidings.demo.report import Report


def demo(
    seed: Annotated[int | None, typer.Option(help="Replay the run of this seed; drawn if absent.")] = None,
    events: Annotated[int, typer.Option(min=20, max=1_000_000, help="How many different events truly happen.")] = 4_000,
    as_json: AsJson = False,
) -> None:
    """Run Chirp's real server against duplicates, delays, disorder and kill -9, and compare every view with the truth.

    Exit code 0 only if all of it agrees. Example: tidings demo --seed 7 --events 10000
    """
    from tidings.demo.run import Demo, Plan  # its HTTP client is of no use to any other command, and slow to import

    output = Output(as_json=as_json)
    ports = Ports()
    plan = Plan.draw(ports.random.getrandbits(31) if seed is None else seed, events=events)
    folder = Path(tempfile.mkdtemp(prefix="tidings-demo-"))
    output.say(f"Chirp on SQLite, seed {plan.seed}: {events:,} events, sent {len(plan.arrivals):,} times")
    with output.progress() as progress:
        report = asyncio.run(Demo(plan, folder, ports, progress).run())
    _show(output, report)
    if not report.agrees:
        output.say(f"\nNot everything agrees. Database and server log are kept in {folder}")
        raise typer.Exit(1)
    shutil.rmtree(folder, ignore_errors=True)


def _show(output: Output, report: Report) -> None:
    if output.as_json:
        output.json(report.as_json())
        return
    for what, found in report.facts:
        output.say(f"  {what:<20} {found}")
    from tidings.demo.report import as_table

    output.say("")
    output.console.print(as_table(report))
    if report.agrees:
        output.say(f"\nEverything agrees. The same run again: tidings demo --seed {report.seed}")
