"""The writes of one process that wait for their receipts: first in, first out, within bounds."""

from __future__ import annotations

from collections import deque
from itertools import chain

from tidings.errors import LogBusyError, LogUnavailableError
from tidings.log.driver import Write
from tidings.log.flush import Queued, UnderWay, subjects_of, take

WRITES = 50_000
BYTES = 64 * 1024 * 1024


class Queue:
    """What is queued, what waits for room in the queue, and what a flush has taken and not answered yet."""

    __slots__ = ("_outside", "_queued", "_under_way", "size")

    def __init__(self) -> None:
        self.size = 0
        self._queued: deque[Queued] = deque()
        self._outside: deque[Queued] = deque()
        self._under_way: list[UnderWay] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left for a flush to take."""
        return not self._queued

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for a receipt."""
        return not (self._queued or self._under_way)

    def has_to_wait(self, item: Queued) -> bool:
        """Say whether a flush under way holds an id or a subject of this write."""
        return any(flush.meets(item.identities, subjects_of(item.write)) for flush in self._under_way)

    def add(self, item: Queued) -> None:
        """Queue the write, or have it wait for room behind those that wait already."""
        if self._outside or not self._has_room_for(item):
            self._outside.append(item)
        else:
            self._enqueue(item)

    def begin_alone(self, write: Write) -> UnderWay | None:
        """Return a flush of this write, which does not queue and is under way from now on; None unless all is idle."""
        if self._queued or self._under_way:
            return None
        flush = UnderWay((), alone=write)
        self._under_way.append(flush)
        return flush

    def put_back(self, item: Queued) -> None:
        """Queue a write before all others: it was under way, and its flush cannot say what became of it."""
        self._queued.appendleft(item)
        self.size += item.size

    def take(self) -> UnderWay | None:
        """Remove and return what the next flush holds, in order, and let in what waits for the room.

        None if there is nothing, or all of it has to wait for a flush that is under way.
        """
        if len(self._queued) == 1 and not self._under_way and not self._queued[0].is_answered:
            taken = [self._queued.popleft()]  # nothing has to be judged, and nothing is more common
            left: list[Queued] = []
        else:
            taken, left = take(self._queued, self._under_way)
        for item in chain(taken, left):
            self.size -= item.size
        while self._outside and self._has_room_for(self._outside[0]):
            self._enqueue(self._outside.popleft())
        if not taken:
            return None
        flush = UnderWay(taken)
        self._under_way.append(flush)
        return flush

    def settle(self, flush: UnderWay) -> bool:
        """Note that this flush has answered; say whether anything is queued."""
        self._under_way.remove(flush)
        return bool(self._queued)

    def expire(self, now: float, reason: LogUnavailableError | None) -> None:
        """Answer those whose time is up at `now` of the monotonic clock; `reason`: why the log could not answer."""
        for item in chain(*[flush.items for flush in self._under_way], self._queued):
            if item.deadline <= now and not item.is_answered:
                item.receipt.set_exception(_unanswered(reason))
        for item in self._outside:
            if item.deadline <= now and not item.is_answered:
                item.receipt.set_exception(_full())

    def _enqueue(self, item: Queued) -> None:
        self._queued.append(item)
        self.size += item.size

    def _has_room_for(self, item: Queued) -> bool:
        return not self._queued or (len(self._queued) < WRITES and self.size + item.size <= BYTES)


def _unanswered(reason: LogUnavailableError | None) -> LogUnavailableError:
    why = "" if reason is None else f" ({reason})"
    error = LogUnavailableError(
        f"the log did not answer in time{why}: nothing is known of the call, so repeat it with the same ids"
    )
    error.__cause__ = reason
    return error


def _full() -> LogBusyError:
    return LogBusyError("the log's queue stayed full until the timeout; nothing was kept: repeat the call later")
