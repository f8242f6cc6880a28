"""The limits of events by the numbers that are promised, whatever the code calls them."""

from __future__ import annotations

import pytest

from tidings import Settings
from tidings.errors import BatchTooLargeError, EnvelopeTooLargeError
from tidings.events.cloudevents import read_batch
from tidings.events.envelope import Envelope
from tidings.events.rules import checked

EVENT = b'{"specversion":"1.0","id":"1","source":"web","type":"t"}'


def test_data_has_262144_bytes_at_most() -> None:
    assert Settings().data_bytes_max == 262_144
    checked(Envelope(id="1", source="web", type="t", data=bytes(262_144)))
    with pytest.raises(EnvelopeTooLargeError, match="262,145 bytes"):
        checked(Envelope(id="1", source="web", type="t", data=bytes(262_145)))


def test_attributes_have_16384_bytes_at_most() -> None:
    rest = len("1" + "web" + "t" + "text")
    checked(Envelope(id="1", source="web", type="t", attributes={"text": "x" * (16_384 - rest)}))
    with pytest.raises(EnvelopeTooLargeError, match="16,385 bytes"):
        checked(Envelope(id="1", source="web", type="t", attributes={"text": "x" * (16_385 - rest)}))


def test_a_batch_has_500_events_at_most() -> None:
    assert len(read_batch(b"[" + b",".join([EVENT] * 500) + b"]")) == 500
    with pytest.raises(BatchTooLargeError):
        read_batch(b"[" + b",".join([EVENT] * 501) + b"]")
