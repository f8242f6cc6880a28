"""Log records on standard error, one line each, whatever is in them."""

from __future__ import annotations

import logging
import traceback


class OneLine(logging.Formatter):
    """Writes a record, and the error that came with it, on one line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        text = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {_said(record.exc_info[1])}"
        return text.replace("\r", "\\r").replace("\n", "\\n")


def set_up(level: int = logging.INFO) -> None:
    """Send every record of this level or above to standard error; call it once, before anything is logged."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _said(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
