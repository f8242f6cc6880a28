"""Which versions of its events an application may append now."""

from __future__ import annotations

from typing import Protocol

from tidings.events.envelope import Envelope


class Gates(Protocol):
    """Which versions may be appended now."""

    def admit(self, envelope: Envelope) -> Envelope:
        """Return an event made here as it may be appended, in an older version if its own is not open.

        VersionNotOpenError; LogUnavailableError if that is not known now; TransformError."""

    def check(self, envelope: Envelope) -> None:
        """Refuse an event from outside whose version is not open. VersionNotOpenError; UnknownTypeError."""


class AllOpen:
    """Where nobody keeps gates."""

    def admit(self, envelope: Envelope) -> Envelope:
        return envelope

    def check(self, envelope: Envelope) -> None:
        return None


ALL_OPEN = AllOpen()
