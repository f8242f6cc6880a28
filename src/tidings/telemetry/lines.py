"""What is written to the log of a process when an event was handled, or was not: one line per outcome.

The line says whose outcome it is and nothing of what the event holds; an error's own words may hold some of it, so they
are left to `tidings dead show`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tidings.events.envelope import Envelope
from tidings.events.trace import parent_of

KEYS = (
    "service",
    "handler",
    "event_type",
    "event_id",
    "subject",
    "attempt",
    "partition",
    "position",
    "trace_id",
    "span_id",
    "correlation_id",
    "causation_id",
    "duration_ms",
    "outcome",
)
"""What a line may say beside `ts`, `level` and `msg`."""


class JsonLine(logging.Formatter):
    """Writes a record as one line of JSON in ASCII: nothing in it can end the line or move a terminal's cursor."""

    def format(self, record: logging.LogRecord) -> str:
        said = {name: getattr(record, name) for name in KEYS if getattr(record, name, None) is not None}
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"ts": time.replace("+00:00", "Z"), "level": record.levelname.lower(), "msg": _message(record), **said}
        return json.dumps(line, default=str)


def escaped(text: str) -> str:
    """Return the text with every character escaped that is not printed as itself: line ends, colours, bells."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def said_of(error: BaseException) -> str:
    """Return an error's class, message, and the place where it was raised."""
    place = place_of(error)
    return f"{type(error).__name__}: {error}" + (f" ({place[0]}, line {place[1]})" if place else "")


def place_of(error: BaseException) -> tuple[str, int] | None:
    """Return the file and the line where an error was raised; None if it never was."""
    place, trace = None, error.__traceback__
    while trace is not None:
        place = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return place


def of_event(envelope: Envelope) -> Mapping[str, Any]:
    """Return what a line says of an event: its names, never its data."""
    traced = parent_of(envelope)
    return {
        "event_type": envelope.type,
        "event_id": envelope.id,
        "subject": envelope.subject,
        "trace_id": traced and traced[1],
        "span_id": traced and traced[2],
        "correlation_id": envelope.correlation_id,
        "causation_id": envelope.causation_id,
    }


def _message(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return record.getMessage() if error is None else f"{record.getMessage()}: {said_of(error)}"
