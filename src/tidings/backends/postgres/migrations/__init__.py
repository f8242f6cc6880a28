"""The steps by which the tables come about: forward only, each in one transaction, under one lock for all processes.

A step is the files `NNNN_*.sql` of one number, in the order of their names. A file's first line says for which schemas
a program that knows no more than that may go on using the tables afterwards, so that a release and the one before it
can run side by side while one takes the other's place:

    -- oldest: 1
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import metadata, resources
from itertools import groupby

from tidings.backends.postgres.connection import UNBOUNDED, Connection
from tidings.errors import SchemaError
from tidings.store.schema import Schema, Step

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

_FOUND = """
SELECT max(number), max(oldest), max(number) IS NOT NULL AND EXISTS (SELECT FROM tidings.head)
FROM tidings.schema_step
"""

# What the user or the database is limited to: an index of a large table takes longer. Not every release has each.
_WITHOUT_LIMITS = """
SELECT set_config(name, '0', true) FROM pg_settings
WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')
"""


def read_steps() -> Sequence[Step]:
    """Return the steps that this release knows, in order."""
    files = sorted(file.name for file in resources.files(__name__).iterdir() if _NAME.fullmatch(file.name))
    return [_step(int(number), tuple(names)) for number, names in groupby(files, lambda name: name[:4])]


def _step(number: int, names: tuple[str, ...]) -> Step:
    texts = [resources.files(__name__).joinpath(name).read_text("utf-8") for name in names]
    oldest = max(int(found[1]) for found in map(_OLDEST.match, texts) if found)
    return Step(number, oldest, names, "\n".join(texts))


async def look(connection: Connection, steps: Sequence[Step]) -> Schema:
    """Say how far the database is in these steps. SchemaError if its tables lack what a step writes into them."""
    if not await connection.fetchval(_IS_THERE):
        return Schema(0, 0, steps)
    number, oldest, is_whole = await connection.fetchrow(_FOUND)
    if not is_whole:
        raise SchemaError(
            "the tables of tidings are there without their content (tidings.schema_step or tidings.head is empty), as "
            "`pg_dump --schema-only` leaves them: restore the data, too, or name an empty database in "
            "TIDINGS_DATABASE_URL"
        )
    return Schema(number, oldest, steps)


async def prepare(connection: Connection, place: str, *, create: bool) -> None:
    """See that the tables are there as this release needs them; make them if there are none and `create` says so.

    SchemaError if they are of another release.
    """
    steps = read_steps()
    schema = await look(connection, steps)
    if schema.state == "none" and create:
        await apply(connection, steps)
        schema = await look(connection, steps)
    if schema.refusal is not None:
        raise SchemaError(f"{place} cannot be used: {schema.refusal}")


async def apply(
    connection: Connection, steps: Sequence[Step], *, begun: Callable[[int], None] = lambda pid: None
) -> Sequence[Step]:
    """Do the steps that the database lacks, each whole or not at all; return them.

    Two that do this at once wait for each other, and the second finds nothing left to do. `begun`: told in each
    transaction which process of the server it is in, before anything is waited for.
    """
    done = []
    for step in steps:
        async with connection.transaction(isolation="read_committed"):
            await connection.execute(_WITHOUT_LIMITS)
            begun(await connection.fetchval("SELECT pg_backend_pid()"))
            await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})", timeout=UNBOUNDED)
            if (await look(connection, steps)).found >= step.number:
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
