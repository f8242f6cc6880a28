"""Times as senders write them: one spelling each, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidings.webhooks.receive.instants import instant_text, instant_us
from tidings.webhooks.receive.places import Unit

AT = datetime(2026, 5, 4, 10, 11, 12, 345678, tzinfo=UTC)
AT_US = 1_777_889_472_345_678


@pytest.mark.parametrize(
    ("unit", "text", "us"),
    [
        ("s", "1777889472", 1_777_889_472_000_000),
        ("ms", "1777889472345", 1_777_889_472_345_000),
        ("rfc3339", "2026-05-04T10:11:12.345678Z", AT_US),
    ],
)
def test_a_time_is_written_and_read_in_its_unit(unit: Unit, text: str, us: int) -> None:
    assert instant_text(AT, unit) == text
    assert instant_us(text, unit) == us


@pytest.mark.parametrize("unit", ["s", "ms"])
@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1 ", "1\n", "1.0", "1e3", "1_000", "1" * 15, "١٢٣", "１２", "²"]
)
def test_only_ascii_digits_are_a_time(unit: Unit, text: str) -> None:
    assert instant_us(text, unit) is None


@pytest.mark.parametrize("text", ["2026-05-04", "2026-05-04T10:11:12", "20260504T101112Z", "1777889472", "noon", ""])
def test_only_rfc_3339_with_an_offset_is_a_time(text: str) -> None:
    assert instant_us(text, "rfc3339") is None
