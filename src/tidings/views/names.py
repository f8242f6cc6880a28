"""What services, views and their columns may be called, so that every engine takes their tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tidings.errors import DeclarationError

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")  # 63 characters are PostgreSQL's own limit
_TAKEN = frozenset({"tidings", "sqlite"})
PAGING = frozenset({"after", "limit"})
"""What a query by HTTP says of a page, so that no column can be asked for by these names."""
_SYSTEM = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})  # every table of PostgreSQL has these
_COLUMNS = 1_000  # SQLite has 2,000 and PostgreSQL 1,600, with those that are ours
_NAMES_MAX = 48  # with the version behind it, within PostgreSQL's 63 bytes


def view_name(row: type) -> str:
    """Return the view's name, which follows from its class: `TweetStat` is `tweet_stat`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", row.__name__).lower()


def check_service_name(name: str) -> None:
    """Raise DeclarationError unless tables can begin with this name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.split("_")[0] in _TAKEN:
        raise DeclarationError(
            f"{name!r:.100} is no name for a service: its tables begin with it, so use lower case letters and digits, "
            "joined by single '_', beginning with a letter, but not with 'tidings' or 'sqlite', which are taken"
        )


def check_view_name(service: str, name: str) -> None:
    """Raise DeclarationError unless a table can be called so."""
    if not _NAME.fullmatch(name):
        raise DeclarationError(
            f"{name!r} is no name for a view: name the class with letters and digits, as in `class TweetStat`"
        )
    if len(service) + len(name) > _NAMES_MAX:
        raise DeclarationError(
            f"the view {service}.{name}: the two names have more than {_NAMES_MAX} characters together; shorten one"
        )


def check_column_names(view: str, names: Sequence[str]) -> None:
    """Raise DeclarationError, naming the view, unless a table can have these columns."""
    if len(names) > _COLUMNS:
        raise DeclarationError(
            f"{view} has {len(names):,} members, but a table takes {_COLUMNS:,}: keep some of them in one member, "
            "such as a dict"
        )
    times = Counter(name.lower() for name in names)
    for name in names:
        if name.lower() in _SYSTEM | PAGING:
            raise DeclarationError(f"{view}: {name!r} cannot name a column, {_why_taken(name.lower())}: rename it")
        if not _COLUMN.fullmatch(name) or times[name.lower()] > 1:
            raise DeclarationError(
                f"{view}: {name!r} cannot name a column: use ASCII letters, digits and '_', beginning with a letter, "
                "at most 63, and no two names that differ only in case"
            )


def _why_taken(name: str) -> str:
    if name in PAGING:
        return f"since `GET /views/…?{name}=` asks for a page"
    return "since every table of PostgreSQL has a column of that name"
