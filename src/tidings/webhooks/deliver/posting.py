"""Who posts, opened when there is something to post: an application without endpoints never loads an HTTP client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from tidings.webhooks.deliver.answer import Answer, Failure

Then: TypeAlias = Callable[[Answer | Failure], None]
"""Called with what came of a request; it does not raise."""


class Sends(Protocol):
    """See `tidings.webhooks.deliver.sending.Sender`."""

    def begin(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, then: Then) -> object: ...

    async def send(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer | Failure: ...

    async def close(self) -> None: ...


class Posting:
    """Opens a sender with the first request and closes it at the end, after which it may be used again."""

    def __init__(self, open_sender: Callable[[], Sends]) -> None:
        self._open = open_sender
        self._sender: Sends | None = None

    @property
    def is_open(self) -> bool:
        return self._sender is not None

    def open(self) -> Sends:
        """Open a sender if there is none. SettingError if nothing can be sent from here."""
        if self._sender is None:
            self._sender = self._open()
        return self._sender

    def begin(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, then: Then) -> None:
        """See `Sender.begin`."""
        self.open().begin(url, headers, body, then)

    async def close(self) -> None:
        """Close every connection."""
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()
