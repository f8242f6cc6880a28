"""What an operator does about the tables: look how far they are, and take them as far as this release goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tidings.backends.sqlite.database import Database, is_transient
from tidings.backends.sqlite.schema import APPLICATION_ID, STEPS
from tidings.errors import OperatorError, SchemaError, StoreUnavailableError
from tidings.store.schema import Schema, Step


def schema_of(path: str) -> Schema:
    """Say how far the tables of the database at `path` are; nothing is made of it, nor is the file.

    SchemaError if it is no database; StoreUnavailableError if it cannot be read now.
    """
    if not Path(path).is_file():
        return Schema(0, 0, STEPS)
    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            is_ours = connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
            found: int = connection.execute("PRAGMA user_version").fetchone()[0] if is_ours else 0
    except sqlite3.Error as error:
        raise not_opened(path, error) from error
    return Schema(found, found, STEPS)


async def migrate(path: str) -> Sequence[Step]:
    """Do the steps that the database lacks, and return them. SchemaError; StoreUnavailableError."""
    pending = schema_of(path).pending
    try:
        database = Database(path)
    except sqlite3.Error as error:
        raise not_opened(path, error) from error
    await database.close()
    return pending


def not_opened(path: str, error: sqlite3.Error) -> OperatorError:
    """Return what to tell who runs the system of a database that could not be opened."""
    if is_transient(error):
        return StoreUnavailableError(
            f"the database {path} cannot be opened now ({error}): see that its folder is there and may be written to, "
            "and that nobody holds it locked"
        )
    return SchemaError(f"{path} cannot be used as a database ({error}): point TIDINGS_DATABASE_URL at another file")
