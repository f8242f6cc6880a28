"""The steps by which the tables come about: forward only, each in one transaction, under one lock for all processes.

A step is the files `NNNN_*.sql` of one number, in the order of their names. A file's first line says for which schemas
a program that knows no more than that may go on using the tables afterwards, so that a release and the one before it
can run side by side while one takes the other's place:

    -- oldest: 1
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from itertools import groupby

from tidings.backends.postgres.connection import UNBOUNDED, Connection
from tidings.errors import SchemaError

LOCK = 1953063936
"""Who migrates holds this advisory lock; the log's locks have the numbers behind it."""
LOCK_SECONDS = 5
"""How long a step waits for a table: all who come after it would wait behind it."""

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_OLDEST = re.compile(r"-- oldest: (\d+)\n")

# Not to_regclass: it answers from a cache, which may not know yet what another process has just committed.
_IS_THERE = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'tidings' AND c.relname = 'schema_step')
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One migration. `oldest`: programs that know this schema, or a later one, go on working after it."""

    number: int
    oldest: int
    files: tuple[str, ...]
    statements: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a database has: the schema's number (0: none), and the oldest that a program must know to use it."""

    schema: int
    oldest: int


def read_steps() -> Sequence[Step]:
    """Return the steps that this release knows, in order."""
    files = sorted(file.name for file in resources.files(__name__).iterdir() if _NAME.fullmatch(file.name))
    return [_step(int(number), tuple(names)) for number, names in groupby(files, lambda name: name[:4])]


def _step(number: int, names: tuple[str, ...]) -> Step:
    texts = [resources.files(__name__).joinpath(name).read_text("utf-8") for name in names]
    oldest = max(int(found[1]) for found in map(_OLDEST.match, texts) if found)
    return Step(number, oldest, names, "\n".join(texts))


async def look(connection: Connection) -> Found:
    """Say which schema the database has."""
    if not await connection.fetchval(_IS_THERE):
        return Found(0, 0)
    row = await connection.fetchrow(
        "SELECT coalesce(max(number), 0) AS number, coalesce(max(oldest), 0) AS oldest FROM tidings.schema_step"
    )
    return Found(row["number"], row["oldest"])


def refusal(found: Found, steps: Sequence[Step]) -> str | None:
    """Return why this release cannot run on what was found, and the command to run; None if it can."""
    known = steps[-1].number
    if found.oldest > known:
        return (
            f"it has schema {found.schema}, made by a newer release of tidings, and this release knows schema {known}: "
            "run `pip install --upgrade tidings`"
        )
    if found.schema < known:
        return f"it has schema {found.schema}, and this release needs schema {known}: run `tidings migrate apply`"
    return None


async def prepare(connection: Connection, place: str, *, create: bool) -> None:
    """See that the tables are there as this release needs them; make them if there are none and `create` says so.

    SchemaError if they are of another release.
    """
    steps = read_steps()
    found = await look(connection)
    if found.schema == 0 and create:
        await apply(connection, steps)
        found = await look(connection)
    wrong = refusal(found, steps)
    if wrong is not None:
        raise SchemaError(f"{place} cannot be used: {wrong}")


async def apply(connection: Connection, steps: Sequence[Step]) -> Sequence[Step]:
    """Do the steps that the database lacks, each whole or not at all; return them.

    Two that do this at once wait for each other, and the second finds nothing left to do.
    """
    done = []
    for step in steps:
        async with connection.transaction(isolation="read_committed"):
            await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})", timeout=UNBOUNDED)
            if (await look(connection)).schema >= step.number:
                continue
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            await connection.execute(step.statements, timeout=UNBOUNDED)
            await connection.execute(
                "INSERT INTO tidings.schema_step (number, oldest, made_by) VALUES ($1, $2, $3)",
                step.number,
                step.oldest,
                metadata.version("tidings"),
            )
            done.append(step)
    return done
