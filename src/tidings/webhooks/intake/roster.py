"""Which receivers there are: those of the application's code, and those that were made while it runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from tidings.errors import StoreUnavailableError, TidingsError
from tidings.ports import Clock
from tidings.store.driver import StoreDriver
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.intake.records import receiver_of_record
from tidings.webhooks.sealing import Keyring

LOOK_SECONDS = 1.0
_log = logging.getLogger("tidings.receivers")


class Roster:
    """Finds receivers by their exact ids. Those of the store are looked for every `LOOK_SECONDS` at most.

    One that is declared in the code hides one of the same id in the store.
    """

    def __init__(self, declared: Sequence[Receiver], store: StoreDriver, clock: Clock, keyring: Keyring) -> None:
        self.declared: Mapping[str, Receiver] = {receiver.id: receiver for receiver in declared}
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._made: dict[str, tuple[int, Receiver | None]] = {}
        self._looked: float | None = None

    async def find(self, id: str) -> Receiver | None:
        """Return the receiver of this id, retired or not; None if there is none.

        StoreUnavailableError if its record cannot be read here.
        """
        declared = self.declared.get(id)
        if declared is not None:
            return declared
        await self._look()
        found = self._made.get(id)
        if found is None:
            return None
        if found[1] is None:
            raise StoreUnavailableError("the receiver's record cannot be read here: the log of this server has why")
        return found[1]

    async def all(self) -> Sequence[Receiver]:
        """Return every receiver that can be read, by its id."""
        await self._look()
        made = {id: receiver for id, (_, receiver) in self._made.items() if receiver is not None}
        return [receiver for _, receiver in sorted({**made, **self.declared}.items())]

    def look_anew(self) -> None:
        """Have the next question look into the store: this process has changed what is there."""
        self._looked = None

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if self._looked is not None and now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        before, self._made = self._made, {}
        for record in await self._store.receivers():
            known = before.get(record.id)
            if known is not None and known[0] == record.version:
                self._made[record.id] = known
                continue
            try:
                self._made[record.id] = record.version, receiver_of_record(record, self._keyring)
            except TidingsError as error:
                _log.error("the receiver %r cannot be read: %s", record.id, error)
                self._made[record.id] = record.version, None
