"""One type in three versions, and programs of several releases that read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.unit.consumers.room import until_idle
from tidings import App, Context, Service, Settings
from tidings.app.opened import Opened
from tidings.events.declaration import event
from tidings.events.envelope import Envelope
from tidings.events.transformers import downcaster, upcaster

TYPE = "tweet-bookmarked"
IN_MEMORY = Settings(database_url="sqlite:///:memory:")
ONE, TWO, THREE = (
    b'{"tweet_id":"20","user_id":"jack"}',
    b'{"tweet_id":"20","user_id":"jack","folder":"later"}',
    b'{"tweet_id":"20","owner":{"kind":"user","id":"jack"},"folder":"later"}',
)


def folder_added(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "folder": "all"}


def folder_left_out(data: dict[str, Any]) -> dict[str, Any]:
    return {"tweet_id": data["tweet_id"], "user_id": data["user_id"]}


def owner_from_user(data: dict[str, Any]) -> dict[str, Any]:
    owner = {"kind": "user", "id": data["user_id"]}
    return {"tweet_id": data["tweet_id"], "folder": data.get("folder", "all"), "owner": owner}


def user_from_owner(data: dict[str, Any]) -> dict[str, Any]:
    return {"tweet_id": data["tweet_id"], "folder": data.get("folder", "all"), "user_id": data["owner"]["id"]}


def first() -> Any:
    @event(TYPE, version=1, subject="tweet_id")
    class TweetBookmarked:
        tweet_id: str
        user_id: str

    return TweetBookmarked


def second() -> Any:
    @event(TYPE, version=2, subject="tweet_id")
    class TweetBookmarked:
        tweet_id: str
        user_id: str
        folder: str = "all"

    return TweetBookmarked


@dataclass
class Owner:
    kind: str
    id: str


def third(*, steps: bool = True, up: Any = owner_from_user, down: Any = user_from_owner) -> Any:
    @event(TYPE, version=3, subject="tweet_id")
    class TweetBookmarked:
        tweet_id: str
        owner: Owner
        folder: str = "all"

    if steps:
        upcaster(TweetBookmarked, from_version=1)(folder_added)
        upcaster(TweetBookmarked, from_version=2)(up)
        downcaster(TweetBookmarked, from_version=3, loses=("owner.kind",))(down)
        downcaster(TweetBookmarked, from_version=2, loses=("folder",))(folder_left_out)
    return TweetBookmarked


def said(version: int, data: bytes, *, id: str = "e1", subject: str = "20") -> Envelope:
    return Envelope(id=id, source="/web", type=TYPE, version=version, subject=subject, data=data)


@dataclass
class Release:
    """A program with handlers of these classes. `seen`: by handler, the event and the envelope it was given."""

    classes: tuple[Any, ...]
    name: str = "lists"
    is_view: bool = False
    seen: list[tuple[Any, Any]] = field(default_factory=list)
    opened: Opened = field(init=False)

    def app(self) -> App:
        service = Service(self.name)
        for cls in self.classes:

            async def handle(event: Any, ctx: Context) -> None:
                self.seen.append((event, ctx.envelope))

            handle.__name__ = f"handle_{len(service.handlers)}"
            service.on(cls)(handle)
        return App(service)

    @asynccontextmanager
    async def open(self, settings: Settings = IN_MEMORY) -> AsyncIterator[Release]:
        async with self.app().open(settings, consume=False) as self.opened:
            yield self

    async def carry(self) -> None:
        for consumer in (await self.opened.carrying.consumers()).values():
            await until_idle(consumer)
            await consumer.release()
