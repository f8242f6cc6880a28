from __future__ import annotations

import random
import string

import pytest

from tests.unit.telemetry.scrape import named, scrape
from tests.unit.telemetry.shop import Placed, opened_shop
from tidings.errors import ConflictError, EnvelopeError
from tidings.events.envelope import Envelope
from tidings.telemetry.table import UNKNOWN_TYPE

RANDOM = random.Random(7)


def event(id: str, *, type: str = "placed", data: bytes = b"{}", subject: str | None = None) -> Envelope:
    return Envelope(id=id, source="web", type=type, subject=subject, data=data)


async def test_each_event_is_counted_by_its_type_and_what_became_of_it() -> None:
    async with opened_shop() as opened:
        await opened.log.append([event("a"), event("b")])
        await opened.log.append([event("a"), event("c")])
        await opened.log.append([event("a"), event("a")])
        with pytest.raises(ConflictError):
            await opened.log.append([event("a", data=b"[]")])
        with pytest.raises(EnvelopeError):
            await opened.log.append([event("d", subject="\x00")])
        assert named(await scrape(opened), "tidings_append_total") == {
            ("appended", "placed"): 3,
            ("conflict", "placed"): 1,
            ("duplicate", "placed"): 2,
            ("refused", "placed"): 1,
        }


async def test_every_write_is_timed_and_every_flush_with_what_it_held() -> None:
    async with opened_shop() as opened:
        for id in "abc":
            await opened.log.append([event(id)])
        samples = await scrape(opened)
        for name, count in (("append_seconds", 3), ("flush_seconds", 3), ("flush_writes", 3)):
            assert samples[f"tidings_{name}_count", ()] == count
            assert samples[f"tidings_{name}_bucket", ("+Inf",)] == count
        assert samples["tidings_flush_writes_bucket", ("1.0",)] == 3
        assert samples["tidings_flush_writes_sum", ()] == 3


async def test_what_a_handler_or_a_command_emits_is_counted_once_it_is_kept() -> None:
    async with opened_shop() as opened:
        with pytest.raises(ZeroDivisionError):
            async with opened.unit("shop") as ctx:
                await ctx.emit(Placed("a"))
                raise ZeroDivisionError
        assert named(await scrape(opened), "tidings_append_total") == {}
        async with opened.unit("shop") as ctx:
            await ctx.emit(Placed("a"))
            await ctx.emit(Placed("b"))
        assert named(await scrape(opened), "tidings_append_total") == {("appended", "placed"): 2}


async def test_a_hundred_thousand_random_keys_make_no_more_series_than_one() -> None:
    def word() -> str:
        return "".join(RANDOM.choices(string.ascii_letters + 'é"\\\n/', k=12))

    async with opened_shop() as opened:
        await opened.log.append([event("first"), event("unknown", type="is-unknown")])
        before = await scrape(opened)
        for batch in range(100):
            await opened.log.append([event(f"{batch}-{n}-{word()}", type=word(), subject=word()) for n in range(1_000)])
        after = await scrape(opened)
        assert after.keys() == before.keys()
        assert after["tidings_append_total", ("appended", UNKNOWN_TYPE)] == 100_001
