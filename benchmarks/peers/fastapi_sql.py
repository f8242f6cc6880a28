"""FastAPI and SQL by hand over aiosqlite: no objects are mapped, and writers take turns instead of meeting a lock.

One connection writes, held by one request at a time, each with a commit of its own; the driver keeps its statements
prepared. The database has our durability: WAL and synchronous=FULL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import aiosqlite
import msgspec
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

_TABLE = """CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, source TEXT NOT NULL, id TEXT NOT NULL,
  type TEXT NOT NULL, subject TEXT, time TEXT, data TEXT, UNIQUE (source, id))"""
_INSERT = (
    "INSERT INTO events (source, id, type, subject, time, data) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (source, id) DO NOTHING RETURNING position"
)
_KNOWN = "SELECT position FROM events WHERE source = ? AND id = ?"


class EventIn(BaseModel):
    specversion: str
    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    datacontenttype: str | None = None
    data: dict[str, Any] | None = None


class Kept(BaseModel):
    source: str
    id: str
    position: int
    outcome: str


class Answer(BaseModel):
    results: list[Kept]


def application(url: str) -> FastAPI:
    path = url.removeprefix("sqlite:///")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with aiosqlite.connect(path) as connection:
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=FULL")
            await connection.execute(_TABLE)
            app.state.connection, app.state.writing = connection, asyncio.Lock()
            yield

    app = FastAPI(lifespan=lifespan)
    app.post("/events", response_model=Answer)(take)
    return app


async def take(given: EventIn, request: Request, response: Response) -> Answer:
    connection: aiosqlite.Connection = request.app.state.connection
    time = None if given.time is None else given.time.isoformat()
    data = msgspec.json.encode(given.data).decode()
    async with request.app.state.writing:
        added = await connection.execute_fetchall(
            _INSERT, (given.source, given.id, given.type, given.subject, time, data)
        )
        await connection.commit()
    found = list(added) or list(await connection.execute_fetchall(_KNOWN, (given.source, given.id)))
    response.status_code = 201 if added else 200
    outcome = "appended" if added else "duplicate"
    return Answer(results=[Kept(source=given.source, id=given.id, position=found[0][0], outcome=outcome)])
