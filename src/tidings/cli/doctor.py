"""`tidings doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tidings.cli.exits import NO, OK
from tidings.cli.output import Output
from tidings.cli.session import AppName, AsJson, Session

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.store.host import Check


def doctor(app: AppName = None, as_json: AsJson = False) -> None:
    """Look whether all is well: what /readyz asks, dead letters, disk and clock. Exit code 1 if something is not.

    With the application at hand, its views and services are looked at, too. Nothing is changed.

    Example: tidings doctor --app chirp:app
    """
    from tidings.operations.diagnosis import diagnose

    session = Session(app)

    async def work(opened: Opened) -> tuple[tuple[Check, ...], str, str | None]:
        facts = opened.store.facts
        found = await diagnose(opened.host, opened.log, opened.store, opened.ports, session.services, opened.scopes)
        return found, facts.engine, facts.caution

    found, engine, caution = session.look(work)
    is_well = all(check.problem is None for check in found)
    output = Output(as_json=as_json)
    if as_json:
        checks = [
            {"name": check.name, "ok": check.problem is None, "problem": check.problem, "note": check.note}
            for check in found
        ]
        output.json({"ok": is_well, "checks": checks, "engine": engine, "caution": caution})
    else:
        rows = [{"check": each.name, "found": each.problem or each.note or "ok"} for each in found]
        output.rows(rows, empty="nothing was looked at")
        output.say(f"\n{engine}" + (f": {caution}" if caution else ""))
        failing = [check.name for check in found if check.problem is not None]
        output.say("All is well." if is_well else f"Not well: {', '.join(failing)}")
    raise typer.Exit(OK if is_well else NO)
