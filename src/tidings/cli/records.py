"""Log records on standard error, one line each, whatever is in them: text for people, JSON for programs."""

from __future__ import annotations

import logging
import sys

from tidings.telemetry.lines import JsonLine, escaped, said_of


class OneLine(logging.Formatter):
    """Writes a record, and the error that came with it, on one line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        text = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {said_of(record.exc_info[1])}"
        return escaped(text)


def set_up(level: int = logging.INFO) -> None:
    """Send every record of this level or above to standard error; call it once, before anything is logged.

    Where a person reads it, on a terminal, it is text; else each line is JSON.
    """
    handler = logging.StreamHandler()
    is_read = sys.stderr is not None and sys.stderr.isatty()
    handler.setFormatter(OneLine() if is_read else JsonLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
