"""Position tokens: where something stands in which life of the log. Callers hand them back as they got them."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.errors import InvalidPositionError
from tidings.log.driver import Position

_DIGITS_MAX = 19


@dataclass(frozen=True, slots=True)
class Tokens:
    """Writes and reads `<incarnation>-<position>` of one log."""

    incarnation: str

    def write(self, position: Position) -> str:
        """Return the token of a position."""
        return f"{self.incarnation}-{position}"

    def write_any(self, position: Position | None) -> str | None:
        """Return the token of a position; None where there is none."""
        return None if position is None else self.write(position)

    def read(self, token: str, *, name: str) -> Position:
        """Return the position of a token that came as `name`; InvalidPositionError if it is none of this log."""
        incarnation, dash, digits = token.rpartition("-")
        if not dash or not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS_MAX:
            raise InvalidPositionError(
                f"{name}: {token[:80]!r} is no position token: send one that you were given",
            )
        if incarnation != self.incarnation:
            raise InvalidPositionError(
                f"{name}: {token[:80]!r} is of another log, or of this one before it was restored: read anew",
            )
        return int(digits)

    def check(self, position: Position, *, head: Position, name: str) -> None:
        """Refuse, with InvalidPositionError, one that came as `name` and lies beyond the log's head: nobody has it."""
        if position > head:
            raise InvalidPositionError(
                f"{name}: {self.write(position)[:80]!r} lies beyond the last event: send one that you were given",
            )
