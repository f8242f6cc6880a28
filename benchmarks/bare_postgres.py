"""The bare loops' side of PostgreSQL, and the server that they and ours are measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from tests.postgres.binaries import NEWEST
from tests.postgres.server import own

from tidings.events.codec import attributes_to_bytes
from tidings.events.envelope import Envelope
from tidings.events.identity import SLOTS, subject_keys

OPTIONS = ("shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min")

_COLUMNS = "recorded, slot, skey, source, id, type, dataversion, subject, attrs, data"
_ARRAYS = "smallint bigint text text text int text bytea bytea"
_FROM = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_ARRAYS.split(), 2))
TABLE = """CREATE TABLE bare (pos bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, recorded bigint NOT NULL,
  slot smallint NOT NULL, skey bigint, source text NOT NULL, id text NOT NULL, type text NOT NULL,
  dataversion int NOT NULL, subject text, attrs bytea NOT NULL, data bytea)"""
BATCH = f"INSERT INTO bare ({_COLUMNS}) SELECT $1, e.* FROM unnest({_FROM}) AS e RETURNING pos"
INDEXED = "CREATE TABLE bare_indexed (LIKE bare INCLUDING ALL); CREATE INDEX ON bare_indexed (skey, pos)"
BATCH_INDEXED = BATCH.replace("INTO bare", "INTO bare_indexed")
ONE = f"INSERT INTO bare ({_COLUMNS}) VALUES ({', '.join(f'${n}' for n in range(1, 11))}) RETURNING pos"
LOCKED = f"WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock(1)) {ONE.replace('VALUES', 'SELECT')}"
LOCKED = LOCKED.replace("SELECT ($1", "SELECT $1").replace("$10) RETURNING", "$10 FROM held RETURNING")


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Start a server that flushes every commit to the disk below the folder; yield the URL of a database on it."""
    for each in (folder, folder.parent):
        each.chmod(0o711)  # the server runs as another user if we are root
    with own(NEWEST, options=OPTIONS, under=folder) as started:
        yield started.url("postgres")


async def made(url: str, name: str, *, template: str = "template0") -> str:
    """Make a database of this name on the server of `url`, anew, as a copy of another; return its URL."""
    connection = await asyncpg.connect(url)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    await connection.close()
    return f"{url.rpartition('/')[0]}/{name}"


async def settled(url: str) -> None:
    """Let the server do now what it would do meanwhile: see what is in the tables, and write them to the disk."""
    connection = await asyncpg.connect(url)
    await connection.execute("VACUUM (ANALYZE, FREEZE)", timeout=600)
    await connection.execute("CHECKPOINT", timeout=600)
    await connection.close()


async def check(url: str, table: str, count: int) -> None:
    """RuntimeError unless the table holds so many rows."""
    connection = await asyncpg.connect(url)
    found = await connection.fetchval(f"SELECT count(*) FROM {table}")
    await connection.close()
    if found != count:
        raise RuntimeError(f"{table} holds {found:,} rows instead of {count:,}")


async def connect(url: str) -> asyncpg.Connection:
    """Connect as plainly as one does; make the tables if they are not there."""
    connection = await asyncpg.connect(url)
    await connection.execute("SELECT pg_advisory_lock(1)")
    if not await connection.fetchval("SELECT to_regclass('bare') IS NOT NULL"):
        await connection.execute(f"{TABLE}; {INDEXED}")
    await connection.execute("SELECT pg_advisory_unlock(1)")
    return connection


async def cpu_seconds(connection: asyncpg.Connection) -> float:
    """Return the processor time of all the processes the server has now, which run on this machine."""
    pids = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    return sum([int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for (pid,) in pids]) / 1e9


def columns(envelopes: Sequence[Envelope]) -> tuple[Sequence[Any], ...]:
    """Return what the statements take behind the time: an array for each column."""
    skeys = subject_keys([str(of.subject) for of in envelopes])
    return (
        [skey % SLOTS for skey in skeys],
        skeys,
        [of.source for of in envelopes],
        [of.id for of in envelopes],
        [of.type for of in envelopes],
        [of.version for of in envelopes],
        [of.subject for of in envelopes],
        [attributes_to_bytes(of) for of in envelopes],
        [of.data for of in envelopes],
    )
