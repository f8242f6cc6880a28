"""`tidings reconcile`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli.exits import FAILED, NO, OK, UNKNOWN
from tidings.cli.output import Output
from tidings.cli.session import AppName, AsJson, Session

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.ports import Clock
    from tidings.reconciliation.kept.coding import Finding
    from tidings.reconciliation.kept.records import Run
    from tidings.reconciliation.scope import Reconciliation

commands = typer.Typer(help="Copies of what a provider has: compared with what it lists, and repaired by events.")
Scope = Annotated[str, typer.Argument(help="As the application names it, such as till-orders.")]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait",
        help="End once it is known of each difference whether its event came a moment later: a minute, mostly.",
    ),
]
ENDS = {"done": OK, "held": NO, "failed": FAILED, "incomplete": UNKNOWN, "paused": UNKNOWN, "running": UNKNOWN}


@commands.command()
def run(
    scope: Scope,
    changed: Annotated[bool, typer.Option("--changed", help="Read what has changed, not the whole list.")] = False,
    key: Annotated[str | None, typer.Option(help="Ask for this item alone.")] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Repair also if no dry run was made of this adapter and this view.")
    ] = False,
    wait: Wait = False,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Compare a copy with all that its provider lists, and repair it by events. The first run of a scope is dry.

    `--changed` and `--key` compare less, once the whole was compared.

    Exit code 0 if nothing differed but what is on its way, 1 if something did, deletes are held, items are suspected to
    be gone or cannot be read or the provider did not keep what is declared of it, 2 if it failed, could not be
    begun or another process runs the scope, 3 if it was not whole. On its way is what its provider says has just
    changed.

    Example: tidings reconcile run till-orders --app shop:app
    """
    if changed + apply + (key is not None) > 1:
        raise typer.BadParameter("say one of --changed, --key and --apply")

    def begin(found: Reconciliation) -> Awaitable[Run]:
        if key is not None:
            return found.run_key(key)
        return found.run_changed() if changed else found.run("run", applies=apply)

    _ran(scope, app, as_json, begin, waits=wait)


@commands.command()
def plan(scope: Scope, wait: Wait = False, app: AppName = None, as_json: AsJson = False) -> None:
    """Compare a copy with all that its provider lists, and change nothing. Exit codes as of run.

    Example: tidings reconcile plan till-orders --app shop:app
    """
    _ran(scope, app, as_json, lambda found: found.run("plan"), waits=wait)


@commands.command()
def approve(
    scope: Scope,
    run: Annotated[str, typer.Argument(help="The run that holds deletes.")],
    at_most: Annotated[int, typer.Option(help="How many deletes at most; no others than those that are held.")],
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """List once more, ask for each item that a run holds and that was not listed since, and delete those that are gone.

    What more is not listed by then nobody has approved: it stays held, by this run. Exit codes as of run, and 1 if it
    deletes nothing: it says why.

    Example: tidings reconcile approve till-orders 0190a7b2-8c6e-7c3a-9f00-5d2b7a1c4e10 --at-most 40
    """
    _ran(scope, app, as_json, lambda found: found.approve(run, at_most=at_most))


@commands.command()
def report(
    scope: Scope,
    run: Annotated[str | None, typer.Argument(help="One run; else the last ones are listed.")] = None,
    line: Annotated[
        bool, typer.Option("--line", help="In one line, as for a chat: the run, else the last one.")
    ] = False,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Show the last runs of a scope, or one run with each difference that it found.

    Example: tidings reconcile report till-orders --app shop:app
    """
    from tidings.faces.scopes import causes_object, finding_object, run_object
    from tidings.reconciliation.kept.suspecting import named

    async def work(opened: Opened) -> Any:
        found, now = _scope_of(opened, scope), opened.ports.clock.now_us()
        if line:
            return await _told(found, scope, run, now=now)
        if run is None:
            return [run_object(each, scope) for each in await found.runs()]
        one, its = await _one(found, scope, run), await found.findings(run=run)
        return {**one, "causes": causes_object(its, now=now)}, [
            finding_object(each, now=now, values=True) for each in its
        ]

    shown = Session(app).act(work, prepares=False)
    output = Output(as_json=as_json)
    if line:
        output.json({"line": shown}) if as_json else output.say(shown)
        return
    if run is None:
        rows = shown if as_json else [_line(each) for each in shown]
        output.rows(rows, empty=f"{scope} was not run yet")
        return
    about, findings = shown
    if as_json:
        output.json({**about, "findings": findings})
        return
    held = {"held items": named(about["held"], count=about["held_count"])} if about["held"] else {}
    output.fields({**_line(about), **_doubts(about), **held, "causes": _causes_line(about["causes"])})
    empty = "of what is listed, nothing differed" if held else "it found no difference"
    output.rows([_finding_line(each) for each in findings], empty=empty)


async def _told(found: Reconciliation, scope: str, id: str | None, *, now: int) -> str:
    from tidings.faces.scopes import run_line

    last = (await found.runs(limit=1))[:1] if id is None else [await found.that(id)]
    if not last:
        return f"{scope}: it was not run yet"
    return run_line(last[0], scope, await found.findings(run=last[0].id), now=now)


async def _one(found: Reconciliation, scope: str, id: str) -> dict[str, Any]:
    from tidings.faces.scopes import run_object

    return run_object(await found.that(id), scope)


def _ran(
    scope: str, app: str | None, as_json: bool, work: Callable[[Reconciliation], Awaitable[Run]], *, waits: bool = False
) -> None:
    from tidings.faces.scopes import causes_object, run_object
    from tidings.reconciliation.kept.attributing import is_no_drift

    async def ran(opened: Opened) -> tuple[Run, dict[str, int], int, int]:
        found = _scope_of(opened, scope)
        run = await work(found)
        findings, now = await _known(found, run, opened.ports.clock, waits=waits), opened.ports.clock.now_us()
        in_flight = sum(is_no_drift(each, now=now) for each in findings)
        waiting = sum(each.state == "open" for each in findings)
        return run, causes_object(findings, now=now), in_flight, waiting

    done, causes, in_flight, waiting = Session(app).act(ran)
    output = Output(as_json=as_json)
    shown = {**run_object(done, scope), "causes": causes}
    open_still = {"to be merged": f"{waiting:,}, which `tidings run` does"} if waiting else {}
    told = {**_line(shown), **open_still, **_doubts(shown), "causes": _causes_line(causes)}
    output.fields(shown if as_json else told)
    raise typer.Exit(code_of(done, in_flight=in_flight))


async def _known(found: Reconciliation, run: Run, clock: Clock, *, waits: bool) -> Sequence[Finding]:
    """Return what a run has found; `waits`: once it is known of each whether its event still comes."""
    from tidings.reconciliation.kept.attributing import is_in_flight

    findings = await found.findings(run=run.id)
    while waits and any(each.arrived is None and is_in_flight(each, now=clock.now_us()) for each in findings):
        await clock.sleep(1.0)
        await found.count_drift()
        findings = await found.findings(run=run.id)
    return findings


def code_of(run: Run, *, in_flight: int = 0) -> int:
    """Return the exit code of a run: 0 nothing was found, 1 something was or deletes are held, 2 failed, 3 not whole.

    `in_flight`: how many of its findings are known to be of events that were on their way.
    """
    code = ENDS[run.state]
    differs = run.appended + run.proposed + run.asked > in_flight
    is_doubted = bool(run.open_suspects or run.omitted or run.unreadable or run.breaches)
    is_idle = run.mode == "approve" and not run.appended
    return NO if code == OK and (differs or is_doubted or is_idle) else code


def _scope_of(opened: Opened, scope: str) -> Reconciliation:
    from tidings.operations.reconciling import find_scope

    return find_scope(opened.scopes, scope)


def _line(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run as people read it."""
    state = f"{run['state']}, dry" if run["dry"] else run["state"]
    return {
        "run": run["id"],
        "mode": run["mode"],
        "state": state if run["reason"] is None else f"{state}: {run['reason']}",
        "started": run["started"],
        "rows": run["rows"],
        "equal": run["equal"],
        "old": run["old"],
        "proposed": run["proposed"],
        "appended": run["appended"],
        "asked": run["asked"],
        "deletes": run["deletes"],
        "held": run["held_count"],
        "consistent as of": run["after"]["delete"] or "never",
    }


def _doubts(run: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be looked at of a run, if anything is."""
    counts = {"suspected": run["open_suspects"], "omitted": run["omitted"], "unreadable": run["unreadable"]}
    counts |= {"breaches": ", ".join(run["breaches"]), "presence only": run["presence_only"]}
    return {name: count for name, count in counts.items() if count}


def _finding_line(found: dict[str, Any]) -> dict[str, Any]:
    cause = "in flight" if found["in_flight"] else found["cause"]
    differs = "; ".join(f"{each['name']}: {each['here']} here, {each['there']} there" for each in found["fields"])
    shown = {name: found[name] for name in ("key", "kind", "state")}
    return shown | {"cause": cause, "since": found["since"], "differs": differs}


def _causes_line(causes: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {cause.replace('_', ' ')}" for cause, count in causes.items()) or "none"
