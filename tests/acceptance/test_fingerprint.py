"""The fingerprint that a verification tells: the same of equal rows, on whatever database, however they came."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tidings import App, Service, Settings, event
from tidings.fingerprints.rows import Fingerprint
from tidings.operations.verify import verify

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@event("thing-seen", version=1, subject="thing")
class ThingSeen:
    thing: str
    share: float
    at: datetime
    price: Decimal
    seal: bytes
    is_new: bool
    tags: list[str]
    note: str | None = None


things = Service("things")


@things.view(key=("thing",), mode="inline")
class Thing:
    thing: str
    share: float
    at: datetime
    price: Decimal
    seal: bytes
    is_new: bool
    tags: list[str]
    note: str | None


@things.fold(Thing, ThingSeen)
def seen(row: Thing | None, event: ThingSeen) -> Thing:
    return Thing(event.thing, event.share, event.at, event.price, event.seal, event.is_new, event.tags, note=event.note)


SEEN = [
    ThingSeen(
        f"thing-{n % 9} \N{SNOWMAN}", n / 3, NOON + timedelta(microseconds=n), Decimal(n) / 8, bytes([n]), n > 7, [""]
    )
    for n in range(20)
]


async def told(url: str, said: Iterable[tuple[int, ThingSeen]]) -> Fingerprint:
    """Return the fingerprint of the view once these were said, each at a minute of its own."""
    app = App(things)
    async with app.open(Settings(database_url=url)) as opened:
        for n, each in said:
            await app.publish(each, source="web", id=f"seen-{n}", time=NOON + timedelta(minutes=n))
        [found] = await verify(opened.log, opened.store, opened.views)
    assert found.result.is_right
    return found.result.fingerprint


async def test_two_databases_have_one_fingerprint_if_their_rows_are_equal(
    tmp_path: Path, bare_postgres_url: str
) -> None:
    said = list(enumerate(SEEN))
    here = await told(f"sqlite:///{tmp_path / 'here.db'}", said)
    there = await told(bare_postgres_url, reversed(said))
    assert (here.rows, here) == (9, there)
    other = await told(f"sqlite:///{tmp_path / 'other.db'}", said[:-1])
    assert (other.rows, other.sum == here.sum) == (9, False)
