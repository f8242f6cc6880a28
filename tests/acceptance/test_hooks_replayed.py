"""What a stranger can do who has seen one request of a provider that signs the body alone, and can send it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.http_server import Caller, in_file, serving
from tests.acceptance.webhooks import JSON, SECRET, STRIPE, Till, delivery, entries
from tidings import Settings
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.places import Header
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.sign import sign
from tidings.webhooks.receive.verdict import RequestFacts

ALONE = replace(STRIPE, schemes=PRESETS["github"].schemes, dedupe=Header("x-github-delivery"))
UNREADABLE = "a" * 300


@pytest.fixture
def till() -> Till:
    return Till(preset=ALONE)


async def send(caller: Caller, body: bytes, ids: Sequence[str | None]) -> list[int]:
    """Send a body under each of these ids; None: without any. Return the statuses."""
    made = sign(ALONE.schemes[0], body, RequestFacts(), [Key(SECRET)], at=datetime.now(UTC))
    headers = [(name.decode(), value.decode()) for name, value in (JSON, *made.headers)]
    asked = [headers if id is None else [*headers, ("x-github-delivery", id)] for id in ids]
    return [(await caller.ask("POST", "/hooks/till", each, body)).status for each in asked]


async def receipts(till: Till) -> list[tuple[str, int]]:
    """Return what became of each kept request and how often it came, oldest first."""
    return [(each.outcome, each.seen) for each in reversed(await till.app.opened.store.receipts())]


async def test_one_signed_body_is_counted_where_it_is_kept_under_whatever_id(till: Till, settings: Settings) -> None:
    first, second, ids = delivery("evt_1"), delivery("evt_2", order="o-2"), ["id-1", "id-2", "id-3", None, UNREADABLE]
    async with serving(till.app, settings) as caller:
        assert [await send(caller, first, ["id-1"]), await send(caller, second, ["id-2"])] == [[202], [202]]
        assert await send(caller, first, ids * 2) == [200] * 10
        assert await receipts(till) == [("stored", 11), ("stored", 1)]
        assert {each["data"]["order"] for each in await entries(caller, source="/till")} == {"o-1", "o-2"}


async def test_a_body_under_the_ids_of_others_is_one_conflict_until_it_has_its_own(
    till: Till, settings: Settings
) -> None:
    async with serving(till.app, settings) as caller:
        await send(caller, delivery("evt_1"), ["id-1"])
        await send(caller, delivery("evt_2", order="o-2"), ["id-2"])
        third = delivery("evt_3", order="o-3")
        assert await send(caller, third, ["id-1", "id-2", "id-1", "id-3", "id-4", "id-1"]) == [200] * 3 + [
            202,
            200,
            200,
        ]
        assert await receipts(till) == [("stored", 1), ("stored", 1), ("conflict", 3), ("stored", 3)]
        assert len(await entries(caller, source="/till")) == 3


async def test_an_id_that_cannot_be_read_and_comes_first_loses_no_event(till: Till, settings: Settings) -> None:
    async with serving(till.app, settings) as caller:
        assert await send(caller, delivery("evt_1"), [UNREADABLE, UNREADABLE, "id-1", UNREADABLE]) == [202] * 3 + [200]
        assert await receipts(till) == [("stored", 4)]
        assert len(await entries(caller, source="/till")) == 1


async def test_a_batch_without_events_is_kept_once(tmp_path: Path) -> None:
    till = Till(preset=replace(ALONE, split=("/items",)))
    async with serving(till.app, in_file(tmp_path)) as caller:
        assert await send(caller, b'{"items":[]}', ["id-1", "id-2", UNREADABLE]) == [202, 200, 200]
        assert await receipts(till) == [("stored", 3)]
