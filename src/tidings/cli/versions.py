"""`tidings versions`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli import exporting, plans
from tidings.cli.exits import NO, OK, UNKNOWN
from tidings.cli.output import Output
from tidings.cli.session import AppName, AsJson, Session

if TYPE_CHECKING:
    from tidings.operations.versions import Workshop
    from tidings.versions.checking import Finding

commands = typer.Typer(help="The versions of events: which there are, and whether they read each other.")
for act in (plans.census, plans.plan, plans.may, plans.close, plans.deprecate, plans.retire, plans.forget):
    commands.command()(act)
commands.command("open")(plans.open_)
commands.command()(exporting.export)

_LOCK = Path(plans.NAME)


@commands.command("list")
def list_(
    type: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="One event type; all if left out.")] = None,
    app: AppName = None,
    lock: plans.LockFile = _LOCK,
    as_json: AsJson = False,
) -> None:
    """List the versions: who has a class for them, which others each reads, and the step to the next.

    Example: tidings versions list
    """
    rows = [
        {
            "type": each.type,
            "version": each.version,
            "state": each.state,
            "published": each.published,
            "reads": list(each.reads) if as_json else " ".join(map(str, each.reads)),
            "step_up": each.step,
        }
        for each in _workshop(app, lock).told(type)
    ]
    Output(as_json=as_json).rows(rows, empty="no event type is declared")


@commands.command()
def show(
    type: Annotated[str, typer.Argument(metavar="TYPE", help="The event type.")],
    version: Annotated[int | None, typer.Argument(metavar="[VERSION]", help="The newest if left out.")] = None,
    app: AppName = None,
    lock: plans.LockFile = _LOCK,
    as_json: AsJson = False,
) -> None:
    """Show the JSON Schema of one version.

    Example: tidings versions show tweet-bookmarked 2
    """
    from tidings.errors import NotFoundError

    lineage = _workshop(app, lock).lineage(type)
    asked = lineage.newest if version is None else version
    schema = lineage.schema(asked)
    if schema is None:
        told = (str(each) for each in lineage.versions if lineage.schema(each) is not None)
        raise NotFoundError("version", str(asked), told, of=type)
    if as_json:
        Output(as_json=True).json(schema)
    else:
        Output(as_json=False).say(json.dumps(schema, indent=2, ensure_ascii=False))


@commands.command("lock")
def lock_(
    publish: Annotated[bool, typer.Option("--publish", help="From now on, no version in it changes any more.")] = False,
    app: AppName = None,
    lock: plans.LockFile = _LOCK,
    as_json: AsJson = False,
) -> None:
    """Write the lock file from the code, and a first fixture for each version that has none.

    Example: tidings versions lock --publish
    """
    from tidings.ports import SystemClock, utc

    day = utc(SystemClock().now_us()).date().isoformat()
    written = plans.workshop_of(Session(app, judges=True).app, lock).lock(day=day, publish=publish)
    Output(as_json=as_json).rows([{"written": each} for each in written], empty=f"{lock} says what the code says")


@commands.command()
def check(
    offline: Annotated[bool, typer.Option("--offline", help="Ask no database, though there is one.")] = False,
    mode: Annotated[str, typer.Option(help="NONE, BACKWARD (new reads old), FORWARD, or FULL.")] = "BACKWARD",
    scope: Annotated[str, typer.Option(help="LATEST, TRANSITIVE, or LIVE; without a database as TRANSITIVE.")] = "LIVE",
    github: Annotated[bool, typer.Option("--github", help="Print annotations for GitHub Actions.")] = False,
    app: AppName = None,
    lock: plans.LockFile = _LOCK,
    as_json: AsJson = False,
) -> None:
    """Check that the code is what the lock file says, and that versions read each other. For a pipeline.

    LIVE: the earlier versions that are produced, stored, pinned or under way in the database, or that a consumer which
    runs has a class for. Exit code 0: all is well, 1: no, 3: nobody can tell, which counts as no.

    Example: tidings versions check --offline --github
    """
    from typing import get_args

    from tidings.errors import SettingError
    from tidings.versions.checking import Mode, Scope

    if mode not in get_args(Mode) or scope not in get_args(Scope):
        raise SettingError(f"--mode is one of {', '.join(get_args(Mode))}, --scope one of {', '.join(get_args(Scope))}")
    session = Session(app, judges=True)
    living = {} if offline else plans.living(session)
    found = plans.workshop_of(session.app, lock).check(mode=mode, scope=scope, living=living)  # type: ignore[arg-type]
    output = Output(as_json=as_json)
    faults = [each for each in found if not each.is_warning]
    code = OK if not faults else UNKNOWN if all(each.is_unknown for each in faults) else NO
    answer = {OK: "ok", NO: "no", UNKNOWN: "unknown"}[code]
    if as_json:
        output.json({"answer": answer, "findings": [_row(each) for each in found]})
    else:
        for each in found:
            kind = "warning" if each.is_warning else "error"
            output.say(
                f"::{kind} title=tidings {each.code}::{_escaped(each.text)}" if github else f"{kind}: {each.text}"
            )
        output.say(answer)
    raise typer.Exit(code)


def _workshop(app: str | None, lock: Path) -> Workshop:
    return plans.workshop_of(Session(app).app, lock)


def _row(each: Finding) -> dict[str, object]:
    kind = "warning" if each.is_warning else "unknown" if each.is_unknown else "error"
    return {"kind": kind, "code": each.code, "type": each.type, "version": each.version, "text": each.text}


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
