"""`tidings demo`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli.exits import NO
from tidings.cli.output import Output
from tidings.cli.session import AsJson
from tidings.errors import OperatorError
from tidings.ports import Ports

if TYPE_CHECKING:
    from tidings.demo.plan import Plan
    from tidings.demo.report import Report

EVENTS = 16_000
SEED_BITS = 20


def demo(
    seed: Annotated[int | None, typer.Option(help="Send what this seed sent before; drawn if absent.")] = None,
    events: Annotated[int, typer.Option(min=20, max=1_000_000, help="How many events truly happen.")] = EVENTS,
    as_json: AsJson = False,
) -> None:
    """Run Chirp's real server against duplicates, delays, disorder and kill -9, and compare every view with the truth.

    Exit code 0 only if all of it agrees, else 1. A seed fixes what happens, what is sent and in which order.

    Example: tidings demo --seed 7 --events 1000
    """
    from tidings.demo.plan import Plan  # what it imports is of no use to any other command

    output = Output(as_json=as_json)
    ports = Ports()
    plan = Plan.draw(ports.random.getrandbits(SEED_BITS) if seed is None else seed, events=events)
    output.say(
        f"Chirp's server gets {events:,} events {len(plan.arrivals):,} times: twice, late, out of order, and across "
        f"kill -9 (seed {plan.seed})\n"
    )
    folder = Path(tempfile.mkdtemp(prefix="tidings-demo-"))
    report = _run(plan, folder, ports, output)
    _show(output, report)
    if report.agrees:
        shutil.rmtree(folder, ignore_errors=True)
        return
    output.say(f"\nNot everything agrees. The database and the server's log are kept in {folder}")
    raise typer.Exit(NO)


def _run(plan: Plan, folder: Path, ports: Ports, output: Output) -> Report:
    from tidings.demo.run import Demo

    try:
        with output.progress() as progress:
            return asyncio.run(Demo(plan, folder, ports, progress).run())
    except OperatorError as error:
        raise OperatorError(f"{error} (the database and the server's log are kept in {folder})") from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _show(output: Output, report: Report) -> None:
    from tidings.demo.report import facts_table, lines_table

    if output.as_json:
        output.json(report.as_json())
        return
    output.say("What happened")
    output.console.print(facts_table(report))
    output.say("\nWhat the server has, compared with what truly happened")
    output.console.print(lines_table(report))
    if report.agrees:
        size = "" if report.events == EVENTS else f" --events {report.events}"
        output.say(f"\nEverything agrees. The same again: tidings demo --seed {report.seed}{size}")
