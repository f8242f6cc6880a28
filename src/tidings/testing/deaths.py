"""A process that dies at a named point, as far as its application can tell."""

from __future__ import annotations

from tidings.errors import CallerError

POINTS = (
    "append:before-begin",
    "append:commit-sent",
    "append:committed",
    "unit:read",
    "unit:in-handler",
    "unit:after-handlers",
    "unit:after-emit",
    "unit:commit-sent",
    "unit:committed",
    "delivery:attempt-counted",
    "delivery:answered",
    "delivery:result-written",
)
"""Where `Scenario.crash_at` may have the process die: what an author's code can tell apart."""


class Died(BaseException):
    """The process ends here. No Exception, so that no code of the application goes on."""


class Deaths:
    """Dies once, at the point that it is armed with. `has_died`: since it was armed."""

    def __init__(self) -> None:
        self.armed: str | None = None
        self.has_died = False

    def arm(self, point: str) -> None:
        """CallerError for a point that there is not."""
        if point not in POINTS:
            raise CallerError(f"there is no point {point!r} to crash at; there is {', '.join(POINTS)}")
        self.armed, self.has_died = point, False

    def at(self, name: str) -> None:
        if name == self.armed:
            self.armed, self.has_died = None, True
            raise Died(name)
