"""Values as an operator reads them: no character that hides, reorders or ends what stands around it."""

from __future__ import annotations

import re

import msgspec
from markupsafe import Markup, escape

from tidings.events.timestamp import time_text
from tidings.faces.visible import visible, visible_lines

DATA_CHARACTERS_MAX = 65_536
LINE_CHARACTERS = 140
# What a name can be broken behind, and, of a part that is longer than any word, wherever a line would be full.
_PARTS = re.compile(r"[^._@-]{1,24}[._@-]*|[._@-]+")
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def parted(name: str) -> Markup:
    """Return a name of ours, such as a consumer's, that a browser breaks between its parts alone."""
    return Markup("<wbr>").join(escape(part) for part in _PARTS.findall(name))


def moment(microseconds: int) -> str:
    """Return a UTC time to the millisecond, as `2026-05-04 10:11:12.345`."""
    return time_text(microseconds)[:23].replace("T", " ")


def machine_time(microseconds: int) -> str:
    """Return a time as RFC 3339, for programs."""
    return time_text(microseconds)


def span(seconds: float) -> str:
    """Return how long something lasts, in its largest unit: `4 s`, `12 min`, `3 h`, `9 d`."""
    for name, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size:,.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == 0 else f"{seconds:.1f} s"


def number(value: int) -> str:
    return f"{value:,}"


def line_of(data: bytes | None) -> str:
    """Return an event's data on one line, cut if it is long."""
    if data is None:
        return ""
    text = data[: LINE_CHARACTERS * 4].decode("utf-8", "replace")
    text = visible(" ".join(text.split()))
    return text if len(text) <= LINE_CHARACTERS and len(data) <= LINE_CHARACTERS * 4 else f"{text[:LINE_CHARACTERS]}…"


def lines_of(data: bytes) -> tuple[str, bool]:
    """Return an event's data, indented if it is JSON, and whether it is cut."""
    try:
        shown = msgspec.json.format(data, indent=2)
    except msgspec.DecodeError:
        shown = data
    text = visible_lines(shown.decode("utf-8", "replace"))
    return text[:DATA_CHARACTERS_MAX], len(text) > DATA_CHARACTERS_MAX
