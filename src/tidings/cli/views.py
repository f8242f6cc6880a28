"""`tidings views`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli import completing
from tidings.cli.exits import NO
from tidings.cli.output import Output
from tidings.cli.session import WHO, AppName, AsJson, Session, tokens_of
from tidings.wording import counted

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.faces.tokens import Tokens
    from tidings.operations import verify as verifying
    from tidings.operations import views as operation

commands = typer.Typer(help="What is shown: the tables that folds make of the log.")

Name = Annotated[
    str,
    typer.Argument(
        metavar="VIEW", help="As `tidings views list` names it: SERVICE.VIEW.", autocompletion=completing.views
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[VIEW]...", help="Views; all of them if absent.", autocompletion=completing.views),
]


@commands.command("list")
def list_(app: AppName = None, as_json: AsJson = False) -> None:
    """List the views, with their tables and where these stand.

    Example: tidings views list --app chirp:app
    """
    from tidings.cli.shapes import view_row
    from tidings.faces.views import table_object
    from tidings.operations import views as operation

    session = Session(app)
    specs = None if session.services is None else session.app.views

    async def work(opened: Opened) -> list[dict[str, Any]]:
        tokens, found = await tokens_of(opened), await operation.listed(opened.store, specs)
        return [table_object(tokens, each) if as_json else view_row(each) for each in found]

    rows = session.look(work)
    Output(as_json=as_json).rows(rows, empty="there are no views yet")


@commands.command()
def show(
    view: Name,
    where: Annotated[list[str] | None, typer.Argument(metavar="[COLUMN=VALUE]...", help="Only such rows.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many rows at most.")] = 50,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Show rows of a view, by key. A live view needs the application, and its whole key.

    Example: tidings views show bookmarks.bookmark user_id=jack
    """
    from tidings.cli.rows import equal_to, row_of
    from tidings.operations import views as operation

    session = Session(app)
    specs = () if session.services is None else session.app.views

    async def work(opened: Opened) -> operation.Shown:
        record = await operation.current_record(opened.store, view)
        if record is not None:
            equal = equal_to(where or (), record.table.columns)
            return await operation.show(opened.store, record, equal=equal, limit=limit)
        spec = operation.declared_view(specs, view, await operation.listed(opened.store, specs))
        return await operation.show_live(opened.log, spec, equal=equal_to(where or (), spec.columns))

    found = session.look(work)
    output = Output(as_json=as_json)
    output.rows([row_of(found.columns, row) for row in found.rows], empty="no such row", as_named=True)
    if found.after is not None:
        output.say(f"… and perhaps more: these are the first {limit:,}")


@commands.command()
def verify(views: Names = None, app: AppName = None, as_json: AsJson = False) -> None:
    """Compare views with a refold of the log, while everything goes on. Exit code 1 if one of them differs.

    Example: tidings views verify --app chirp:app
    """
    from tidings.cli.shapes import verified_object
    from tidings.operations import verify as verifying
    from tidings.operations import views as operation

    session = Session(app)
    specs = [operation.declared_view(session.app.views, name) for name in views or ()] or session.app.views
    output = Output(as_json=as_json)

    async def work(opened: Opened) -> tuple[tuple[verifying.Verified, ...], Tokens]:
        with output.progress() as progress:
            found = await verifying.verify(opened.log, opened.store, specs, progress=progress)
        return found, await tokens_of(opened)

    found, tokens = session.look(work)
    if as_json:
        output.json([verified_object(tokens, each) for each in found])
    else:
        _say_verified(output, found)
    if not all(each.result.is_right for each in found):
        raise typer.Exit(NO)


@commands.command()
def rebuild(
    view: Name,
    accept_parked: Annotated[
        bool, typer.Option("--accept-parked", help="Swap although the new table lacks subjects that are parked for it.")
    ] = False,
    app: AppName = None,
    as_json: AsJson = False,
) -> None:
    """Build a view anew beside its current table, then swap. Reads and appends go on meanwhile.

    While a subject that the new table lacks is retried, the swap waits, and says for which; exit code 1 if one is dead.
    What is parked for the replaced table goes away with it.

    Example: tidings views rebuild bookmarks.bookmark --app chirp:app
    """
    from tidings.operations import views as operation
    from tidings.operations.progress import Watch

    session = Session(app)
    spec = operation.declared_view(session.app.views, view)
    output = Output(as_json=as_json)

    async def work(opened: Opened) -> operation.Rebuilt:
        with output.progress() as progress:
            return await operation.rebuild(
                opened.carrying,
                opened.store,
                spec,
                who=WHO,
                accepts_parked=accept_parked,
                watch=Watch(progress, output.warn),
            )

    done = session.act(work, prepares=False)
    if as_json:
        output.json({"service": spec.service, "view": spec.name, "table": done.table, "parked": done.parked})
    subjects = counted(done.parked, "subject is", "subjects are")
    output.say(f"{done.view} is read from {done.table} now" + (f"; {subjects} parked for it" if done.parked else ""))


def _say_verified(output: Output, found: Sequence[verifying.Verified]) -> None:
    from tidings.cli.shapes import difference_line, verified_row

    output.rows([verified_row(each) for each in found], empty=_NONE)
    for each in found:
        for difference in each.result.first:
            output.say(f"{each.view} {difference_line(difference)}")


_NONE = "there is no table that folds made: nothing to compare"
