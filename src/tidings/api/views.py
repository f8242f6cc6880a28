"""Views out: which there are, their rows by key order, and one row."""

from __future__ import annotations

_PAGING = frozenset({"after", "limit"})
_LOOK_SECONDS = 0.005
