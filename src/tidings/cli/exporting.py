"""`tidings versions export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidings.cli.output import Output
from tidings.cli.session import AsJson, Session
from tidings.errors import SettingError

if TYPE_CHECKING:
    from tidings.app import Opened
    from tidings.versions.census import Census


def export(
    form: Annotated[str, typer.Argument(metavar="FORM", help="asyncapi, eventcatalog or jsonschema.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go; it is made if it is not there.")],
    as_json: AsJson = False,
) -> None:
    """Write what is registered of events, and what running services emit and accept, as files for other programs.

    The URL of the API in them is the setting `public_url`, else where the server listens. Files of the same names are
    written anew, others are left alone.

    Example: tidings versions export asyncapi docs
    """
    from typing import get_args

    from tidings import __version__
    from tidings.faces.exports import Form, exported
    from tidings.operations.census import census
    from tidings.wording import absent

    if form not in get_args(Form):
        raise SettingError(absent("form", form, get_args(Form)))

    async def work(opened: Opened) -> Census:
        return await census(opened.store)

    session = Session(loads=False)
    known = session.look(work)
    base = session.settings.public_url or f"http://{session.settings.host}:{session.settings.port}"
    files = exported(known, form, base=base, release=__version__)  # type: ignore[arg-type]
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    written = [{"written": str(folder / name)} for name in files]
    Output(as_json=as_json).rows(written, empty="no event type is registered")
