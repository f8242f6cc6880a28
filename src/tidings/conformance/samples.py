"""The events that the suites append."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tidings.errors import Conflict, ConflictError
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import NOTHING_EXPECTED, Condition, LogDriver, Position, Receipt, Write
from tidings.log.log import Log

SOURCE = "https://suite.example/one"
TYPE = "suite.happened"
JSON = {"datacontenttype": "application/json"}


def event(id: str, **fields: Any) -> Envelope:
    """Return an envelope with this id; `fields` replace what it has unless told otherwise."""
    known = {"source": SOURCE, "type": TYPE, "subject": "subject/1", "attributes": JSON, "data": b'{"n": 1}'}
    return Envelope(id=id, **(known | fields))


def events(first: int, end: int, **fields: Any) -> tuple[Envelope, ...]:
    """Return envelopes with the ids `first` to `end` - 1."""
    return tuple(event(str(n), **fields) for n in range(first, end))


async def turn() -> None:
    """Let everything else that is ready run once."""
    await asyncio.sleep(0)  # noqa: TID251 - one turn of the event loop, no time


async def keep(
    driver: LogDriver,
    *envelopes: Envelope,
    expected: Mapping[str, Position] = NOTHING_EXPECTED,
    condition: Condition | None = None,
) -> Receipt:
    """Append one write; return its receipt."""
    [receipt] = await driver.append([Write(envelopes=envelopes, expected=expected, condition=condition)])
    return receipt


async def refusal(driver: LogDriver, *envelopes: Envelope, **more: Any) -> Conflict:
    """Append one write that has to be refused; return why it was."""
    receipt = await keep(driver, *envelopes, **more)
    assert (receipt.outcome, receipt.positions) == ("conflict", ())
    assert receipt.conflict is not None
    return receipt.conflict


async def everything(driver: LogDriver | Log, *, page: int = 1_000) -> list[Entry]:
    """Return the whole log, read page by page."""
    found: list[Entry] = []
    after = 0
    while True:
        read = await driver.read(after=after, limit=page)
        found += read.entries
        if len(read.entries) < page:
            return found
        after = read.upto


async def ids_in(driver: LogDriver | Log) -> list[str]:
    """Return the ids in the log, in order."""
    return [entry.envelope.id for entry in await everything(driver)]


async def attempted(log: Log, *envelopes: Envelope, **more: Any) -> Receipt | Conflict:
    """Append through the log; return the receipt, or why it was refused."""
    try:
        return await log.append(envelopes, **more)
    except ConflictError as error:
        return error.conflict
