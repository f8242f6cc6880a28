"""FastAPI, SQLAlchemy, and aiosqlite or asyncpg, as their documentation puts them together: what a team writes by hand.

A pydantic model for the event, a session for each request out of a pool, an insert that notices a repeat, a commit.
The database has our durability: SQLite WAL and synchronous=FULL, PostgreSQL synchronous_commit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel
from sqlalchemy import JSON, DateTime, UniqueConstraint, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Event(Base):
    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("source", "id"),)

    position: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    source: Mapped[str]
    type: Mapped[str]
    subject: Mapped[str | None]
    time: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON)


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


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as opened:
        yield opened


def application(url: str) -> FastAPI:
    if url.startswith("sqlite:"):
        engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:", 1), connect_args={"timeout": 30})
        event.listen(engine.sync_engine, "connect", _as_durable_as_ours)
        insert = sqlite.insert
    else:
        engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:", 1))
        insert = postgresql.insert

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
        app.state.insert = insert
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    app.post("/events", response_model=Answer)(take)
    return app


async def take(
    given: EventIn, request: Request, response: Response, session: Annotated[AsyncSession, Depends(session)]
) -> Answer:
    values = given.model_dump(exclude={"specversion", "datacontenttype"})
    statement = request.app.state.insert(Event).values(values).on_conflict_do_nothing().returning(Event.position)
    position = await session.scalar(statement)
    await session.commit()
    outcome = "duplicate" if position is None else "appended"
    if position is None:
        known = select(Event.position).where(Event.source == given.source, Event.id == given.id)
        position = (await session.scalars(known)).one()
    response.status_code = 201 if outcome == "appended" else 200
    return Answer(results=[Kept(source=given.source, id=given.id, position=position, outcome=outcome)])


def _as_durable_as_ours(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
