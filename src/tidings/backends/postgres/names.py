"""Names in SQL: what may be one, in quotes."""

from __future__ import annotations

import re

from tidings.errors import RefusedError

BYTES_MAX = 63
"""PostgreSQL cuts longer names off, so that two could become one."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SYSTEM = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def quoted(name: str) -> str:
    """Return any name in quotes: of a role or a database, which the server took from somebody else."""
    return '"' + name.replace('"', '""') + '"'


def table_name(name: str) -> str:
    """Return the name quoted; RefusedError unless it is made of lower case letters, digits and '_', 63 at most."""
    if not _NAME.fullmatch(name):
        raise RefusedError(f"{name!r} cannot name a table: use a to z, 0 to 9 and '_', beginning with a letter")
    return _short(name)


def schema_name(name: str) -> str:
    """Return the name quoted; RefusedError also for one that PostgreSQL keeps for itself."""
    if name.startswith("pg_") or name == "information_schema":
        raise RefusedError(f"a service cannot be called {name!r} on PostgreSQL, which keeps that name for itself")
    return table_name(name)


def column_name(name: str) -> str:
    """Return the name quoted; RefusedError unless it is made of letters, digits and '_'. A '_' in front is ours."""
    if not _COLUMN.fullmatch(name):
        raise RefusedError(f"{name!r} cannot name a column: use letters, digits and '_', beginning with a letter")
    if name in _SYSTEM:
        raise RefusedError(f"{name!r} cannot name a column: every table of PostgreSQL has one of that name already")
    return _short(name)


def _short(name: str) -> str:
    if len(name) > BYTES_MAX:
        raise RefusedError(f"{name!r} is too long: PostgreSQL takes names of {BYTES_MAX} letters at most")
    return quoted(name)
