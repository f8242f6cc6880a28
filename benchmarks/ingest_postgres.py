"""Events in over HTTP, kept on PostgreSQL: what `ingest` measures on SQLite, with the same servers and callers."""

from __future__ import annotations

from pathlib import Path

from benchmarks import bare_postgres
from benchmarks.figures import Result, ratio
from benchmarks.ingest import CONNECTIONS, LIMIT, NOTES, NOTHING, OURS, Sides, Turns
from benchmarks.machine import Disk
from benchmarks.sizes import Sizes

NAME = "ingest-postgres"
ORM = "FastAPI, SQLAlchemy, asyncpg"
SIDES: Sides = {OURS: "ours", LIMIT: "bare", ORM: "fastapi_sqlalchemy", NOTHING: "answers"}
LIMIT_TARGET, ORM_TARGET = 0.7, 15


async def measure(folder: Path, sizes: Sizes) -> Result:
    turns = Turns(SIDES, sizes, Disk(folder))
    with bare_postgres.server(folder) as url:
        await turns.run({side: await bare_postgres.made(url, side) for side in SIDES.values()})
    rate = turns.rate
    return Result(
        measure=f"POST /events on PostgreSQL, one event each, {CONNECTIONS} connections",
        figures=turns.figures(),
        checks=[
            ratio(f"{OURS} / {LIMIT}", rate(OURS), rate(LIMIT), limit=LIMIT_TARGET),
            ratio(f"{OURS} / {ORM}", rate(OURS), rate(ORM), limit=ORM_TARGET),
        ],
        notes=NOTES,
    )
