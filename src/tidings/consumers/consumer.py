"""A named reader of the log that carries entries to one reaction, in order, and keeps what it did with what it read."""

from __future__ import annotations

import asyncio

from tidings.consumers.reaction import Reaction
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.store.driver import StoreDriver


class Consumer:
    """Carries the entries of a reaction's types to it.

    `owner`: the name under which this process holds leases, `tidings.ports.this_process()`. `carries`: False for the
    reaction of an inline view, whose entries are folded by their appends: then only parked subjects are redriven.
    A consumer that is not registered yet begins before the log's first entry.
    """

    def __init__(
        self, reaction: Reaction, *, log: Log, store: StoreDriver, ports: Ports, owner: str, carries: bool = True
    ) -> None:
        self.name = reaction.name

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry entries until `stopping` is set; then finish the page under way, release the leases, and return.

        Cancelling rolls the page back and settles nothing. A store or a log that is out of reach is waited for.
        """
