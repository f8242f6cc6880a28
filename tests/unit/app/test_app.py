from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.unit.app.shop import IN_MEMORY, OrderConfirmed, OrderPlaced, eventually, in_file, orders, shop
from tidings import App, ConflictError, Context, DeclarationError, Service, Settings, event
from tidings.app.opened import Opened
from tidings.errors import EnvelopeError, NotFoundError, RefusedError, SettingError
from tidings.log.log import Log


async def rows(opened: Opened, view: str) -> list[tuple[Any, ...]]:
    spec = next(spec for spec in opened.views if spec.name == view)
    current = await opened.tables.of(spec)
    assert current is not None
    return [row.values for row in await opened.store.select(current.table, equal={}, after=None, limit=100)]


def test_two_services_of_one_name_are_refused() -> None:
    with pytest.raises(DeclarationError, match="two services are named 'orders'"):
        App(orders(), orders())


def test_something_that_is_no_service_is_refused() -> None:
    with pytest.raises(DeclarationError, match="no service"):
        App("orders")  # type: ignore[arg-type]


def test_two_classes_of_one_type_and_version_are_refused_before_anything_is_opened() -> None:
    @event("order-placed", subject="order_id")
    class Other:
        order_id: str

    with pytest.raises(DeclarationError, match="both declared as order-placed"):
        App(orders(), Service("copies", emits=[Other]))


async def test_an_app_is_opened_with_settings() -> None:
    with pytest.raises(SettingError, match=r"'sqlite:///x\.db' is no Settings: write app\.open\(Settings\("):
        async with shop().open("sqlite:///x.db"):  # type: ignore[arg-type]
            pass


async def test_an_event_is_published_and_not_its_class() -> None:
    app = shop()
    async with app.open(IN_MEMORY):
        with pytest.raises(DeclarationError, match=r"OrderPlaced is a class: give one event of it, written"):
            await app.publish(OrderPlaced, source="/web")


async def test_an_app_that_is_not_open_says_so() -> None:
    app = shop()
    with pytest.raises(RefusedError, match="not open"):
        await app.publish(OrderPlaced("1", 5), source="/web")
    with pytest.raises(RefusedError, match="not open"):
        async with app.unit("orders"):
            pass


async def test_an_app_is_opened_once_at_a_time_and_can_be_opened_again(tmp_path: Path) -> None:
    app = shop()
    async with app.open(in_file(tmp_path)):
        with pytest.raises(RefusedError, match="open already"):
            async with app.open(in_file(tmp_path)):
                pass
    async with app.open(in_file(tmp_path)) as opened:
        assert (await opened.log.head()).position == 0


async def test_an_event_can_only_be_staged_where_a_relay_finds_it() -> None:
    app = shop()
    async with app.open(IN_MEMORY, consume=False):
        with pytest.raises(RefusedError, match="only on PostgreSQL"):
            app.staged(OrderPlaced("1", 5), source="/web")
    with pytest.raises(RefusedError, match="not open"):
        app.staged(OrderPlaced("1", 5), source="/web")


async def test_what_is_published_is_folded_and_handled() -> None:
    app = shop()
    async with app.open(IN_MEMORY) as opened:
        await app.publish(OrderPlaced("1", 5), source="/web", id="a")
        assert await rows(opened, "receipt") == [("1", 5)]

        async def is_confirmed() -> bool:
            return await rows(opened, "order") == [("1", 5, True)]

        await eventually(is_confirmed)
        page = await opened.log.read(after=0, limit=10)
    assert [entry.envelope.type for entry in page.entries] == ["order-placed", "order-confirmed"]
    assert page.entries[1].envelope.causation_id == "a"


async def test_the_same_id_is_published_once_and_other_content_is_refused() -> None:
    app = shop()
    async with app.open(IN_MEMORY, consume=False):
        first = await app.publish(OrderPlaced("1", 5), source="/web", id="a")
        assert await app.publish(OrderPlaced("1", 5), source="/web", id="a") == first
        with pytest.raises(ConflictError):
            await app.publish(OrderPlaced("1", 6), source="/web", id="a")


async def test_without_an_id_each_publish_is_another_event() -> None:
    app = shop()
    async with app.open(IN_MEMORY, consume=False):
        first = await app.publish(OrderPlaced("1", 5), source="/web")
        assert await app.publish(OrderPlaced("1", 5), source="/web") > first


async def test_a_time_that_is_given_is_the_events_own_and_needs_an_offset() -> None:
    app = shop()
    async with app.open(IN_MEMORY, consume=False) as opened:
        position = await app.publish(
            OrderPlaced("1", 5), source="/web", time=datetime(2026, 5, 4, 10, 11, 12, tzinfo=UTC)
        )
        [entry] = await opened.log.at([position])
        assert entry.envelope.time == "2026-05-04T10:11:12.000000Z"
        with pytest.raises(EnvelopeError, match="offset"):
            await app.publish(OrderPlaced("1", 5), source="/web", time=datetime(2026, 5, 4))  # noqa: DTZ001


async def test_a_command_of_a_service_that_is_not_there_names_those_that_are() -> None:
    app = shop()
    async with app.open(IN_MEMORY, consume=False):
        with pytest.raises(NotFoundError, match="there is orders"):
            async with app.unit("carts"):
                pass


async def test_a_command_changes_and_emits_together_and_its_key_makes_a_repeat_harmless() -> None:
    app = shop()
    async with app.open(IN_MEMORY, consume=False) as opened:
        positions = []
        for _ in range(2):
            async with app.unit("orders", key="k-1") as ctx:
                await ctx.emit(OrderConfirmed("1"))
            positions.append(ctx.position)
        assert positions[0] == positions[1] > 0
        assert (await opened.log.head()).position == positions[0]


async def test_a_consumer_that_pauses_because_all_fails_alike_is_named() -> None:
    service = Service("doomed")

    @service.on(OrderPlaced)
    async def fail(event: OrderPlaced, ctx: Context) -> None:
        raise ValueError("broken release")

    app = App(service)
    async with app.open(IN_MEMORY) as opened:
        for n in range(30):
            await app.publish(OrderPlaced(str(n), 5), source="/web", id=str(n))

        async def is_named() -> bool:
            return "20 subjects in a row failed with ValueError" in opened.crew.failing.get("doomed", "")

        await eventually(is_named)


async def test_a_settings_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tidings.toml").write_bytes(b"\xff")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match=r"tidings\.toml cannot be read"):
        async with shop().open():
            pass


async def test_an_app_that_is_cancelled_while_its_log_closes_leaves_no_connection_open(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut_short(log: Log) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Log, "close", cut_short)
    with pytest.raises(asyncio.CancelledError):
        async with shop().open(Settings(database_url=postgres_url)):
            pass
    other = await asyncpg.connect(postgres_url)
    others = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1)"
    await eventually(lambda: other.fetchval(others, other.get_server_pid()))
    await other.close()
