"""`tidings asof`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli.exits import FAILED, NO, OK, UNKNOWN
from tidings.cli.output import Output
from tidings.cli.session import AppName, AsJson, Session
from tidings.cli.times import seconds_of

if TYPE_CHECKING:
    from tidings.app import Opened

SHOWN = 5


def asof(
    scope: Annotated[str | None, typer.Argument(help="One scope; else all of the application.")] = None,
    max_age: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How old the bound may be, as 600, 10m or 2h; older is a no.")
    ] = None,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Show how far each copy of a provider's items is proved right, and but for which items.

    Exit code 0 within the bound, 1 if it is older, or twice as old as it should become, or of a time that is still to
    come, or deletes are held, 2 if the last run failed, 3 if it was never proved.

    Example: tidings asof till-orders --max-age 10m --app shop:app
    """
    from tidings.faces.scopes import bounds_object
    from tidings.operations.reconciling import find_scope

    oldest = seconds_of("--max-age", max_age)

    async def work(opened: Opened) -> list[dict[str, Any]]:
        chosen = opened.scopes.values() if scope is None else [find_scope(opened.scopes, scope)]
        return [bounds_object(await each.asof(), now=opened.ports.clock.now_us()) for each in chosen]

    found = Session(app).act(work, prepares=False)
    output = Output(as_json=as_json)
    output.rows(found if as_json else [_line(each) for each in found], empty="nothing is reconciled here")
    raise typer.Exit(max((_code(each, oldest) for each in found), default=OK))


def _code(found: dict[str, Any], max_age: float | None) -> int:
    state = found["run"] and found["run"]["state"]
    age = found["delete"]["staleness_s"]
    if state == "failed":
        return FAILED
    if age is None:
        return NO if found["ahead_s"] > 0 else UNKNOWN
    is_doubtful = state == "held" or found["overdue"] or found["ahead_s"] > 0
    return NO if is_doubtful or (max_age is not None and age > max_age) else OK


def _line(found: dict[str, Any]) -> dict[str, Any]:
    """Return the bounds as people read them."""
    shown, more = found["exceptions"][:SHOWN], len(found["exceptions"]) - SHOWN
    keys = ", ".join(f"{each['key']} ({each['reason']})" for each in shown)
    seconds = found["ahead_s"]
    ahead = f"; in part {seconds:,.0f} s from now: `tidings doctor` says what to do" if seconds else ""
    stands = "; both stand still: with more than 100 exceptions nothing is told anew" if found["stopped"] else ""
    return {
        "scope": found["scope"],
        "upserts as of": found["upsert"]["as_of"] or "never",
        "deletes as of": (found["delete"]["as_of"] or "never") + stands + ahead,
        "exceptions": f"{keys} and {more:,} more" if more > 0 else keys or "none",
        "last run": "never run" if found["run"] is None else found["run"]["state"],
    }
