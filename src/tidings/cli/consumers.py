"""`tidings consumers`."""

from __future__ import annotations

from tidings.app import Opened
from tidings.cli.output import Output
from tidings.cli.session import AppName, AsJson, Session
from tidings.cli.shapes import lag_object, lag_row
from tidings.operations.lag import ConsumerLag, lag


def consumers(app: AppName = None, as_json: AsJson = False) -> None:
    """Show how far each consumer is behind the log, in entries and in seconds, and what it has set aside.

    With the application at hand, only the types that a service reads are counted; without it, all.

    Example: tidings consumers --app chirp:app
    """
    session = Session(app)

    async def work(opened: Opened) -> tuple[ConsumerLag, ...]:
        return await lag(opened.log, opened.store, opened.ports.clock, session.services)

    found = session.look(work)
    output = Output(as_json=as_json)
    output.rows([lag_object(each) if as_json else lag_row(each) for each in found], empty="there are no consumers yet")
