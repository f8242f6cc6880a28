"""`tidings keys`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.cli.output import Output
from tidings.cli.session import WHO, AsJson, Session
from tidings.cli.times import time_of
from tidings.events.timestamp import time_text

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.operations import keys
    from tidings.store.keys import ApiKey

SHOWN = 3
commands = typer.Typer(help="API keys: whom the HTTP API lets in. With the first one every caller needs one.")


@commands.command()
def add(
    owner: Annotated[str, typer.Argument(help="Whom it stands for, such as a program's name.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, such as events:write; give it for each.")],
    source: Annotated[
        list[str] | None, typer.Option(help="Only events of this source; give it for each. All if left out.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until when, RFC 3339 with an offset; for ever if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show its token, this once. The database is made if it is not there.

    Example: tidings keys add till --scope events:write --source /till
    Example: tidings keys add dashboard --scope events:read --scope views:read --expires 2027-01-01T00:00:00Z
    """
    from tidings.operations import keys

    asked = keys.Asked(owner=owner, scopes=scope, sources=source or None, expires=time_of("--expires", expires))

    async def work(opened: Opened) -> keys.Made:
        return await keys.add(opened.store, opened.ports, asked, who=WHO)

    made = Session().look(work, makes=True)
    output = Output(as_json=as_json)
    if as_json:
        output.json({**_row(made.key, 0), "token": made.token})
        return
    output.say(made.token)
    output.say(f"Send it as `Authorization: Bearer {made.token[:12]}…`. It is not shown again: nobody keeps it.")


@commands.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the keys, the oldest first, with when each was last used, to the minute.

    Example: tidings keys list
    """

    from tidings.operations import keys

    async def work(opened: Opened) -> list[dict[str, Any]]:
        now = opened.ports.clock.now_us()
        return [_row(each, now) for each in await keys.listed(opened.store)]

    found = Session().look(work)
    if not as_json:
        found = [
            row | {"scopes": _in_short(row["scopes"]), "sources": row["sources"] and " ".join(row["sources"])}
            for row in found
        ]
    empty = "there are no keys: whoever is on this machine may call, and nobody else"
    Output(as_json=as_json).rows(found, empty=empty)


@commands.command()
def revoke(
    key: Annotated[str, typer.Argument(help="As `tidings keys list` shows it.")], as_json: AsJson = False
) -> None:
    """Have a key open nothing any more. Servers know within a second; twice is once.

    Example: tidings keys revoke 3f9a1c2b7d40
    """

    from tidings.operations import keys

    async def work(opened: Opened) -> None:
        await keys.revoke(opened.store, opened.ports, key, who=WHO)

    Session().look(work)
    output = Output(as_json=as_json)
    if as_json:
        output.json({"key": key, "state": "revoked"})
    output.say(f"{key} opens nothing any more")


def _in_short(scopes: Sequence[str]) -> str:
    """Return scopes as a line has room for them; `--json` has all."""
    from tidings.operations.keys import SCOPES

    if len(scopes) == len(SCOPES):
        return f"all {len(scopes)}"
    more = f" and {len(scopes) - SHOWN} more" if len(scopes) > SHOWN else ""
    return " ".join(scopes[:SHOWN]) + more


def _row(key: ApiKey, now: int) -> dict[str, Any]:
    state = "valid" if key.is_valid(now) else "expired" if key.revoked is None else "revoked"
    return {
        "key": key.id,
        "owner": key.owner,
        "state": state,
        "scopes": sorted(key.scopes),
        "sources": None if key.sources is None else sorted(key.sources),
        "created": time_text(key.created),
        "expires": None if key.expires is None else time_text(key.expires),
        "last_used": None if key.used is None else time_text(key.used),
    }
