from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import pytest

from tests.unit.telemetry.shop import carry, opened_shop, placed
from tidings.events.envelope import Envelope
from tidings.ports import Ports, SystemClock
from tidings.telemetry.lines import KEYS, JsonLine, escaped, of_event

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HOSTILE = 'a\n{"level": "info"}\r\x1b[31m\x07\x00\x7f\x85\u2028\u202eb'


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("tidings.app", logging.ERROR, "app.py", 1, message, arguments, None)
    vars(made).update(extra)
    return made


def line(made: logging.LogRecord) -> Any:
    text = JsonLine().format(made)
    assert text.isascii()
    assert text.isprintable()
    return json.loads(text)


def test_a_line_is_one_object_with_the_keys_that_are_known_and_no_others() -> None:
    said = line(record("%s is %s", "it", HOSTILE, service="shop", position=3, handler=None, payload="secret"))
    assert said.pop("ts").endswith("Z")
    assert said == {"level": "error", "msg": f"it is {HOSTILE}", "service": "shop", "position": 3}


def test_an_error_is_told_on_the_same_line_with_its_place() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    assert line(made)["msg"].startswith(f"failed: ValueError: {HOSTILE} (")
    assert "test_lines.py, line " in line(made)["msg"]


def test_text_for_a_terminal_has_no_character_that_acts_on_it() -> None:
    assert escaped(HOSTILE).isprintable()
    assert escaped("naïve 東京 ✓") == "naïve 東京 ✓"


def test_an_event_is_named_with_its_trace_and_without_its_data() -> None:
    attributes = {"traceparent": f"00-{TRACE}-{SPAN}-01", "correlationid": "c", "causationid": "k"}
    envelope = Envelope(id="1", source="web", type="t", subject="s", attributes=attributes, data=b"secret")
    assert of_event(envelope) == {
        "event_type": "t",
        "event_id": "1",
        "subject": "s",
        "trace_id": TRACE,
        "span_id": SPAN,
        "correlation_id": "c",
        "causation_id": "k",
    }
    broken = Envelope(id="1", source="web", type="t", attributes={"traceparent": "00-x"})
    assert of_event(broken)["trace_id"] is None


async def test_each_outcome_is_one_line_that_says_whose_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "tidings.outcomes")
    async with opened_shop() as opened:
        await opened.log.append([placed("a"), placed("b", "fail"), placed("c", "refuse")])
        await carry(opened, "shop")
    said = [
        (each.levelname, each.handler, each.event_id, each.position, each.partition, each.attempt, each.outcome)
        for each in caplog.records
    ]
    assert said == [
        ("DEBUG", "check", "a", 1, 0, 1, "ok"),
        ("DEBUG", "send", "a", 1, 0, 1, "ok"),
        ("DEBUG", "tell", "a", 1, 0, 1, "ok"),
        ("WARNING", "check", "b", 2, 0, 1, "retry"),
        ("ERROR", "send", "c", 3, 0, 1, "parked"),
    ]
    assert all(each.duration_ms >= 0 for each in caplog.records)
    assert [each.getMessage() for each in caplog.records[-2:]] == [
        "shop: handler-failed (ValueError); the subject waits, and is tried again by itself",
        "shop: not-retryable (NotRetryable); the subject waits until it is redriven or dropped, "
        "and `tidings dead show` says more",
    ]


class LaterClock(SystemClock):
    """The machine's clock, set forward by `by` microseconds."""

    by = 0

    def now_us(self) -> int:
        return super().now_us() + self.by


async def test_a_redrive_says_which_attempt_it_was(caplog: pytest.LogCaptureFixture) -> None:
    clock = LaterClock()
    async with opened_shop(Ports(clock=clock)) as opened:
        await opened.log.append([placed("a", "fail")])
        await carry(opened, "shop")
        clock.by = 5_000_000
        consumer = (await opened.carrying.consumers())["shop"]
        consumer._work._next_due = 0
        await consumer.step(asyncio.Event())
    told = [(each.event_id, each.handler, each.attempt, each.outcome) for each in caplog.records]
    assert told == [("a", "check", 1, "retry"), ("a", "check", 2, "retry")]


async def test_a_fold_that_fails_is_told_by_the_name_of_its_table(caplog: pytest.LogCaptureFixture) -> None:
    async with opened_shop() as opened:
        await opened.log.append([Envelope(id="a", source="web", type="placed", subject="x", data=b"[]")])
        await carry(opened, "shop.order@1")
    assert [(each.service, each.handler, each.outcome) for each in caplog.records] == [("shop", "order@1", "parked")]


async def test_a_fold_that_fails_again_is_told_with_the_position_of_its_entry(caplog: pytest.LogCaptureFixture) -> None:
    clock = LaterClock()
    async with opened_shop(Ports(clock=clock)) as opened:
        await opened.log.append([placed("a"), placed("b", "misfold")])
        await carry(opened, "shop.order@1")
        clock.by = 5_000_000
        consumer = (await opened.carrying.consumers())["shop.order@1"]
        consumer._work._next_due = 0
        await consumer.step(asyncio.Event())
    told = [(each.position, each.subject, each.attempt, each.outcome) for each in caplog.records]
    assert told == [(2, "b", 1, "retry"), (2, "b", 2, "retry")]


def test_every_key_is_one_that_a_record_may_be_given() -> None:
    assert not set(KEYS) & set(vars(record("")))
