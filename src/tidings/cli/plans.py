"""What `tidings versions` says of what runs: the census, plans and answers, and what it does with gates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tidings.cli.exits import NO, OK, UNKNOWN
from tidings.cli.output import Output
from tidings.cli.session import WHO, AppName, AsJson, Session

if TYPE_CHECKING:
    from tidings.app import App, Opened
    from tidings.operations.gates import Gatekeeping
    from tidings.operations.versions import Workshop
    from tidings.versions.answer import Answer
    from tidings.versions.census import Census
    from tidings.versions.checking import Living

T = TypeVar("T")
NAME = "events.lock.json"
LockFile = Annotated[Path, typer.Option("--lock", metavar="FILE", help="The lock file, kept in your repository.")]
Type = Annotated[str, typer.Argument(metavar="TYPE", help="The event type.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", help="One of its versions.", min=1)]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the audit.")]
Force = Annotated[bool, typer.Option("--force", help="Do it whatever the answer is; the audit keeps that it was.")]
Assume = Annotated[
    list[str] | None,
    typer.Option("--assume-last", metavar="CONSUMER", help="Take it as it ran last, if nothing of it runs; again."),
]
CODES = {"ok": OK, "no": NO, "unknown": UNKNOWN}


def census(
    type: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="One event type; all if left out.")] = None,
    recount: Annotated[bool, typer.Option("--recount", help="Read the whole log, and compare.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="With --recount: count anew from the beginning.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show of each version: whether it is produced, how much of it is stored, under way, aside and to be delivered.

    Exit code 1 if a recount finds other numbers.

    Example: tidings versions census tweet-bookmarked
    """
    if recount or repair:
        _recount(repairs=repair, as_json=as_json)
        return
    from tidings.operations.census import census as read
    from tidings.operations.planner import counts

    async def work(opened: Opened) -> list[dict[str, Any]]:
        return counts(await read(opened.store), type)

    Output(as_json=as_json).rows(Session(loads=False).look(work), empty="no event type is registered")


def _recount(*, repairs: bool, as_json: bool) -> None:
    async def work(opened: Opened) -> list[dict[str, Any]]:
        found = await opened.store.recount_census(repairs=repairs)
        return [
            {"type": each.type, "version": each.version, "counted": each.counted, "found": each.found} for each in found
        ]

    found = Session(loads=False).look(work)
    Output(as_json=as_json).rows(found, empty="the census is what the log says")
    raise typer.Exit(NO if found else OK)


def plan(
    type: Type,
    to: Annotated[int, typer.Option("--to", metavar="VERSION", help="The version to be produced.", min=1)],
    github: Annotated[bool, typer.Option("--github", help="Print an annotation for GitHub Actions.")] = False,
    assume_last: Assume = None,
    as_json: AsJson = False,
) -> None:
    """Show in which order services take up a version, the state of each, what is missing, and what to do next.

    Exit code 0: the producer may switch, 1: no, 3: nobody can tell, which counts as no.

    Example: tidings versions plan tweet-bookmarked --to 2
    """
    from tidings.cli.plan_lines import plan_lines
    from tidings.faces.versions import plan_object
    from tidings.operations.planner import planned

    session = Session(loads=False)
    known = session.look(lambda opened: _census(opened, assume_last or ()))
    made = planned(known, type, to, opens_itself=session.settings.gates == "auto")
    output = Output(as_json=as_json)
    if as_json:
        output.json(plan_object(made, known.as_of))
    elif github and made.answer != "ok":
        text = "; ".join(f"{each.code} {each.text}" for each in made.reasons)
        output.say(f"::error title=tidings versions plan::{text}")
    else:
        for line in plan_lines(made, known.as_of):
            output.say(line)
    raise typer.Exit(CODES[made.answer])


def may(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="register, switch, retire-support, retire-transformer, rollback, replay."),
    ],
    about: Annotated[list[str], typer.Argument(metavar="WHAT…", help="As the example has it for each kind.")],
    assume_last: Assume = None,
    app: AppName = None,
    lock: LockFile = Path(NAME),
    as_json: AsJson = False,
) -> None:
    """Ask one question: may it be done now? Nothing is changed.

    `register TYPE VERSION`, of the application's class; `switch PRODUCER TYPE VERSION`,
    `retire-support CONSUMER TYPE VERSION`, `retire-transformer TYPE FROM TO`,
    `rollback SERVICE REVISION`, `replay CONSUMER FROM-POSITION`.

    Example: tidings versions may rollback lists r41
    """
    from tidings.operations.asking import asked_by_words

    async def work(opened: Opened) -> Answer:
        return await asked_by_words(opened.store, kind, about, assume=assume_last or (), code=code)

    session = Session(app, loads=kind == "register", judges=True)
    code = workshop_of(session.app, lock) if kind == "register" else None
    _told(session.look(work), as_json=as_json)


def open_(
    type: Type,
    version: Version,
    reason: Why = "",
    force: Force = False,
    assume_last: Assume = None,
    as_json: AsJson = False,
) -> None:
    """Let a version be published, if every reader accepts it.

    Example: tidings versions open tweet-bookmarked 2
    """
    _decided(
        lambda gates: gates.open(type, version),
        reason=reason,
        force=force,
        as_json=as_json,
        assume=assume_last or (),
    )


def close(type: Type, version: Version, reason: Why = "", force: Force = False, as_json: AsJson = False) -> None:
    """Have a version published no more: who emits it falls back to an older one, and it closes once they all know.

    Example: tidings versions close tweet-bookmarked 3 --reason "lists goes back"
    """
    _decided(lambda gates: gates.close(type, version), reason=reason, force=force, as_json=as_json)


def deprecate(
    type: Type,
    version: Version,
    sunset: Annotated[
        str | None, typer.Option(metavar="DATE", help="When it ends, as 2027-03-01, or a time in RFC 3339.")
    ] = None,
    migration: Annotated[str, typer.Option(metavar="URL", help="Where to read on.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back, before the version has ended.")] = False,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Say that a version ends, and when. A date may move later, never earlier.

    Who publishes it is told in headers, who reads it in CloudEvents' `deprecation` attributes. On the date it ends,
    once no service writes it: outside sources are refused then.

    Example: tidings versions deprecate tweet-bookmarked 1 --sunset 2027-03-01 --migration https://example.org/v2
    """
    from tidings.cli.times import day_or_time_of
    from tidings.errors import SettingError

    if withdraw:
        if sunset is not None or migration:
            raise SettingError("--withdraw takes back date and page: leave --sunset and --migration out")
        _decided(lambda gates: gates.keep(type, version), reason=reason, force=False, as_json=as_json)
        return
    at = day_or_time_of("--sunset", sunset)
    _decided(
        lambda gates: gates.deprecate(type, version, sunset=at, migration=migration),
        reason=reason,
        force=False,
        as_json=as_json,
    )


def retire(type: Type, version: Version, reason: Why = "", as_json: AsJson = False) -> None:
    """End a version for good: nothing of it is under way, pinned or waited for. Its number is never used again.

    Example: tidings versions retire tweet-bookmarked 1
    """
    _decided(lambda gates: gates.retire(type, version), reason=reason, force=False, as_json=as_json)


def forget(
    consumer: Annotated[str, typer.Argument(help="As `tidings versions may` names it.")],
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Wait no more for what a consumer accepts that is gone for good. Refused while an instance of it runs.

    Example: tidings versions forget lists
    """
    from tidings.operations import gates

    async def work(opened: Opened) -> None:
        await gates.forget(opened.store, consumer, who=WHO, reason=reason)

    Session(loads=False).look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json({"consumer": consumer, "forgotten": True})
    output.say(f"nobody waits for {consumer} any more")


async def _census(opened: Opened, assume: Collection[str]) -> Census:
    from tidings.operations.census import census as read

    return await read(opened.store, assume=assume)


def living(session: Session) -> Mapping[str, Living]:
    """Return what the database says of each type's versions; nothing if there is none."""
    from tidings.operations.registering import lives

    async def work(opened: Opened) -> Mapping[str, Living]:
        known = await _census(opened, ())
        return {type: lives(known, type) for type in {each.type for each in known.versions}}

    return session.look(work) if session.has_database() else {}


def workshop_of(app: App, lock: Path) -> Workshop:
    """Return an application's types beside their lock file and examples."""
    from tidings.operations.versions import Workshop

    return Workshop(app.events, tuple(app.services.values()), lock)


def _decided(
    do: Callable[[Gatekeeping], Awaitable[Answer]],
    *,
    reason: str,
    force: bool,
    as_json: bool,
    assume: Collection[str] = (),
) -> None:
    from tidings.operations.gates import Gatekeeping

    async def work(opened: Opened) -> Answer:
        return await do(Gatekeeping(opened.store, who=WHO, reason=reason, forced=force, assume=assume))

    _told(Session(loads=False).look(work), as_json=as_json, forced=force)


def _told(answer: Answer, *, as_json: bool, forced: bool = False) -> None:
    from tidings.cli.plan_lines import head_line, reason_lines
    from tidings.faces.versions import answer_object
    from tidings.operations.asking import titled
    from tidings.versions.answer import in_order

    output = Output(as_json=as_json)
    overruled = forced and answer.answer != "ok"
    if as_json:
        output.json(answer_object(answer) | ({"forced": True} if overruled else {}))
    else:
        output.say(head_line(answer.answer, titled(answer), answer.as_of))
        steps = dict.fromkeys(each.told for each in in_order(answer.reasons) if each.told)
        for line in reason_lines(answer.reasons, tuple(steps), answer.notes):
            output.say(line)
        if overruled:
            output.say("it was done all the same, since --force was given: the audit keeps that")
    raise typer.Exit(OK if forced else CODES[answer.answer])
