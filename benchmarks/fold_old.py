"""Folding events of version 1 into a view whose fold has a class for version 3 alone, beside events of version 3.

What is compared is the processor's time of one event, in turns: two steps, and what reads and writes their data, are a
part of it that neither the disk nor other programs change.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import ours
from benchmarks.events import SOURCE, facts
from benchmarks.figures import Check, Figure, Result
from benchmarks.machine import Disk
from benchmarks.rounds import Stopwatch, alternate
from benchmarks.sizes import Sizes
from tidings import App, Service, event, upcaster
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.events.identity import uuid7
from tidings.events.timestamp import time_text

NAME = "fold-old"
TYPE = "tweet-bookmarked"
SEED = 1
CONSUMER = "bookmarks.bookmark@1"
OLD, CURRENT, ALONE = "events of version 1", "events of version 3", "events of version 3, with no step in the program"
SLOWER_AT_MOST, ALONE_AT_MOST = 1.25, 1.1
_BEGAN_US = 1_770_000_000_000_000


def bookmarking(*, has_steps: bool) -> App:
    """Return an application that folds version 3."""

    @event(TYPE, version=3, subject="tweet_id")
    class TweetBookmarked:
        tweet_id: str
        owner_id: str
        owner_kind: str
        text: str
        folder: str = "all"

    if has_steps:

        @upcaster(TweetBookmarked, from_version=1)
        def into_a_folder(data: dict[str, Any]) -> dict[str, Any]:
            return {**data, "folder": "all"}

        @upcaster(TweetBookmarked, from_version=2)
        def to_an_owner(data: dict[str, Any]) -> dict[str, Any]:
            kept = {"tweet_id": data["tweet_id"], "text": data["text"], "folder": data.get("folder", "all")}
            return {**kept, "owner_id": data["user_id"], "owner_kind": "user"}

    service = Service("bookmarks")

    @service.view(key=("owner_id", "tweet_id"))
    class Bookmark:
        owner_id: str
        tweet_id: str
        text: str

    @service.fold(Bookmark, TweetBookmarked)
    def bookmarked(row: Any, event: Any) -> Any:
        return Bookmark(event.owner_id, event.tweet_id, event.text)

    return App(service)


def told(version: int) -> Iterator[Envelope]:
    """Yield the same bookmarks, told in one version or the other."""
    for n, (tweet, user, text) in enumerate(facts(SEED)):
        data = {"tweet_id": tweet, "user_id": user, "text": text}
        if version == 3:
            data = {"tweet_id": tweet, "owner_id": user, "owner_kind": "user", "text": text, "folder": "all"}
        yield Envelope(
            id=uuid7(_BEGAN_US + n * 50, n),
            source=SOURCE,
            type=TYPE,
            version=version,
            subject=tweet,
            time=time_text(_BEGAN_US + n * 50),
            data=encode_json(data),
        )


async def measure(folder: Path, sizes: Sizes) -> Result:
    for version in (1, 3):
        await _prepare(folder / f"version-{version}.db", version, sizes.fold)
    used: dict[str, list[float]] = {OLD: [], CURRENT: [], ALONE: []}
    app, alone = bookmarking(has_steps=True), bookmarking(has_steps=False)

    def folding(name: str, version: int, of: App) -> Callable[[], Any]:
        async def run() -> float:
            path = _copied(folder, version)
            watch = await ours.carried(of, ours.in_file(path), CONSUMER)
            used[name].append(watch.used / sizes.fold * 1e6)
            return watch.total

        return run

    sides = {OLD: folding(OLD, 1, app), CURRENT: folding(CURRENT, 3, app), ALONE: folding(ALONE, 3, alone)}
    figures = await alternate(sides, Disk(folder), events=dict.fromkeys(sides, sizes.fold), rounds=sizes.rounds)
    costs = {name: Figure(name=f"CPU time, {name}", unit="µs an event", rounds=found) for name, found in used.items()}
    return Result(
        measure="fold events of an older version into a view",
        figures=[*figures.values(), *costs.values()],
        checks=[
            _times("two steps up", costs[OLD], costs[CURRENT], SLOWER_AT_MOST),
            _times("current events beside steps", costs[CURRENT], costs[ALONE], ALONE_AT_MOST),
        ],
        notes=["all fold the same bookmarks into the same rows, through the whole path of a consumer"],
    )


def _times(name: str, over: Figure, under: Figure, limit: float) -> Check:
    rounds = [a / b for a, b in zip(over.rounds, under.rounds, strict=True)]
    return Check(name=f"CPU time, {name}", rounds=rounds, limit=limit, sense="at most", ours=over, beside=under)


async def _prepare(path: Path, version: int, count: int) -> None:
    given = told(version)
    async with ours.open_log(ours.in_file(path)) as log:
        while some := list(islice(given, min(ours.FILLING, count))):
            await ours.append(log, some, batch=ours.FILLING, watch=Stopwatch())
            count -= len(some)
            if not count:
                return


def _copied(folder: Path, version: int) -> Path:
    for suffix in ("-wal", "-shm"):
        (folder / f"fold.db{suffix}").unlink(missing_ok=True)
    return Path(shutil.copy(folder / f"version-{version}.db", folder / "fold.db"))
