"""`tidings demo`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli.exits import NO
from tidings.cli.output import Output
from tidings.cli.session import AsJson
from tidings.errors import OperatorError, SettingError

if TYPE_CHECKING:
    from tidings.demo.plan import Plan
    from tidings.demo.report import Report
    from tidings.demo.run import Doors
    from tidings.demo.server import Place
    from tidings.ports import Ports

EVENTS = 16_700
"""Enough for more than 20,000 requests."""
SEED_BITS = 20


def demo(
    seed: Annotated[int | None, typer.Option(help="Send what this seed sent before; drawn if absent.")] = None,
    events: Annotated[int, typer.Option(min=20, max=1_000_000, help="How many events truly happen.")] = EVENTS,
    apart: Annotated[bool, typer.Option("--apart", help="Run each service as a process of its own.")] = False,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Run on this PostgreSQL server, in a database of its own; else on SQLite."),
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Keep console and page open after the report.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run Chirp's real server against duplicates, delays, disorder and kill -9, and compare every view with the truth.

    Two third parties run beside it: one tells of orders by webhooks, the other one takes Chirp's own, badly. Exit code
    0 only if all of it agrees, else 1. A seed fixes what happens, what is sent and in which order.

    With --database it runs on PostgreSQL, in a database that is made for it and removed if all agrees.

    Example: tidings demo --seed 7 --events 1000
    """
    from tidings.demo.plan import Plan
    from tidings.ports import Ports

    output = Output(as_json=as_json)
    ports = Ports()
    plan = Plan.draw(ports.random.getrandbits(SEED_BITS) if seed is None else seed, events=events)
    output.say(
        f"Chirp's server gets {events:,} events {len(plan.came):,} times: twice, late, out of order, and across "
        f"kill -9 (seed {plan.seed})\n"
    )
    shown = _Shown(plan, _place(database), output, apart=apart)
    shown.run(ports, serve=serve)
    if shown.agrees:
        return
    output.say(f"\nNot everything agrees. The database and the server's log are kept in {shown.kept}")
    raise typer.Exit(NO)


def _place(database: str | None) -> Place:
    """Return a new folder, and what the server runs on; SettingError if the URL of the database is none."""
    import tempfile

    from tidings.demo.ground import Ground
    from tidings.demo.server import Place

    folder = Path(tempfile.mkdtemp(prefix="tidings-demo-"))
    try:
        return Place(folder, Ground(folder, database))
    except SettingError:
        folder.rmdir()
        raise


class _Shown:
    """One run of the demonstration, shown. Its folder is removed, but if something is wrong."""

    def __init__(self, plan: Plan, place: Place, output: Output, *, apart: bool) -> None:
        self._place = place
        self.agrees = False
        self._plan = plan
        self._output = output
        self._apart = apart
        self._is_open = False

    def run(self, ports: Ports, *, serve: bool) -> None:
        """Run it; `serve`: until somebody ends it, else until its report."""
        import asyncio

        from tidings.demo.run import Demo

        try:
            with ExitStack() as drawing:
                progress = drawing.enter_context(self._output.progress())
                demo = Demo(self._plan, self._place, ports, progress, apart=self._apart)

                def opened(report: Report, doors: Doors) -> None:
                    drawing.close()  # no bar is drawn any more
                    self._is_open = True
                    self._show(report, doors)

                report = asyncio.run(demo.run(opened if serve else None))
            self._show(report)
        except OperatorError as error:
            if not self._place.log.exists():  # it never began
                self._place.folder.rmdir()
                raise
            raise OperatorError(f"{error} (the database and the server's log are kept in {self.kept})") from error
        except (KeyboardInterrupt, asyncio.CancelledError):
            self._remove(is_wrong=self._is_open and not self.agrees)
            if not self._is_open:
                raise
        else:
            self._remove(is_wrong=not self.agrees)

    @property
    def kept(self) -> str:
        """Where what is left behind can be looked at."""
        folder, place = str(self._place.folder), self._place.ground.place
        return folder if folder == place else f"{place} and {folder}"

    def _remove(self, *, is_wrong: bool) -> None:
        import asyncio
        import shutil

        if not is_wrong:
            asyncio.run(self._place.ground.remove())
            shutil.rmtree(self._place.folder, ignore_errors=True)

    def _show(self, report: Report, doors: Doors | None = None) -> None:
        from tidings.demo.report import facts_table, lines_table

        self.agrees = report.agrees
        output = self._output
        if output.as_json:
            output.json(report.as_json() | ({} if doors is None else {"open": doors}))
            return
        output.say("What happened")
        output.show(facts_table(report))
        output.say("\nWhat the server has, compared with what truly happened")
        output.show(lines_table(report))
        if report.agrees:
            more = "" if report.events == EVENTS else f" --events {report.events}"
            more += " --apart" if self._apart else ""
            more += "" if self._place.ground.engine == "SQLite" else " --database URL"
            output.say(f"\nEverything agrees. The same again: tidings demo --seed {report.seed}{more}")
        if doors is not None:
            output.say("\nOpen until Ctrl-C, which removes it all:")
            for name, url in doors.items():
                output.say(f"  {name:8} {url}")
