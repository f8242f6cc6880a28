"""Requests that name themselves by a key: what is done, and what is answered, are kept together. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write

StoreT = TypeVar("StoreT", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request under a key: `owner`, `route` and `key` together name it; `fingerprint` is of all that it says.

    `at`: µs since 1970; how long its answer is kept counts from then.
    """

    owner: str
    route: str
    key: str
    fingerprint: bytes
    at: int


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What the first request under a key said and was answered, as bytes that only who kept them can read."""

    fingerprint: bytes
    answer: bytes


class Keyed(Protocol[StoreT]):
    """One transaction for the request of a key. While it is open, no other of the same key gets past its beginning."""

    @property
    def kept(self) -> KeptAnswer | None:
        """What an earlier request under this key left; there is nothing to do then."""

    @property
    def store(self) -> StoreT:
        """The store, whose operations are part of this transaction."""

    @property
    def appended(self) -> Sequence[tuple[Sequence[Envelope], Receipt]]:
        """What `append` was given, with what became of it."""

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """An exception that leaves the block undoes what was done in it; the transaction goes on."""

    async def append(self, write: Write) -> Receipt:
        """Append as the log does, at once: the head stands still for everybody else until this has ended."""

    async def keep(self, answer: bytes) -> None:
        """Keep the answer with all that was done, for whoever asks again under the key."""
