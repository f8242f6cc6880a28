"""What a reader lets through keeps every rule of an envelope, so that nobody looks at it a second time."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.webhooks.receive.deliveries import AT_S
from tidings import event
from tidings.errors import TidingsError
from tidings.events.catalog import Catalog
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.events.rules import TIME_ALONE_MAX
from tidings.store.receipts import Arrival
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.intake.translating import Making, arrival_of
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.places import First, Header, Member
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.scheme import Scheme

AT = AT_S * 1_000_000
OWN = Preset(
    name="own",
    schemes=(Scheme(algorithm="token", signature=Header("x-token"), encoding="none", tolerance=None),),
    dedupe=Member("/id"),
    type=(Member("/type"),),
    subject=Member("/subject"),
    time=First((Member("/time", "s"), Member("/time", "rfc3339"))),
    correlation=Member("/cause"),
)
JSON = (b"content-type", b"application/json")
SECOND = "2026-05-04T10:11:12"

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "a" * 256, "a" * 257, "€" * 256, "é" * 1_000, "é" * 1_001, "s" * 1_024, "s" * 1_025, "\x00"]),
    st.sampled_from(["a\x7f", "\x9fa", "￾", "\U0010ffff", "a\u2028b", "~", " "]),
)
times = st.one_of(
    st.just(AT_S),
    st.integers(0, AT_S),
    st.integers(0, 80).map(lambda digits: f"{SECOND}.{'1' * digits}Z"),
    st.sampled_from([SECOND, f"{SECOND}Z", f"{SECOND}+14:00", "0001-01-01T00:00:00+23:59", 10**13, 10**14, -1]),
)


@event("own.happened")
class Happened:
    pass


class Checking(Catalog):
    """Notes what comes by the short way, and what the long one would have made of it."""

    def __init__(self) -> None:
        super().__init__([Happened])
        self.both: list[tuple[Envelope, Envelope | str]] = []

    def admit_read(self, envelope: Envelope, *, now_us: int) -> Envelope:
        admitted = super().admit_read(envelope, now_us=now_us)
        try:
            self.both.append((admitted, self.admit(envelope, now_us=now_us)))
        except TidingsError as error:
            self.both.append((admitted, str(error)))
        return admitted


def arrival(body: dict[str, Any], *, nonce: str = "") -> tuple[Arrival, Checking]:
    catalog = Checking()
    receiver = Receiver("own", OWN, secrets=("9f2c41d07be8",), source="/own")
    making = Making(catalog=catalog, now=AT, new_id=lambda: "made", nonce=nonce)
    return arrival_of(receiver, Given((JSON,), encode_json(body)), making), catalog


@given(id=texts, subject=st.none() | texts, cause=st.none() | texts, time=st.none() | times)
def test_whatever_is_read_by_the_short_way_keeps_every_rule(id: str, subject: Any, cause: Any, time: Any) -> None:
    _, checking = arrival({"id": id, "type": "happened", "subject": subject, "cause": cause, "time": time})
    for short, long in checking.both:
        assert short == long or time is None  # which is stamped, later each time
        assert isinstance(long, Envelope)


def test_an_event_as_it_is_takes_the_short_way_and_what_a_reader_did_not_measure_does_not() -> None:
    usual = {"id": "evt_1", "type": "happened", "time": f"{SECOND}Z"}
    assert len(arrival(usual)[1].both) == 1
    long = f"{SECOND}.{'1' * TIME_ALONE_MAX}Z"
    found, checking = arrival({**usual, "time": long})
    assert (checking.both, found.events[0][0].time) == ([], long)
    found, checking = arrival({**usual, "id": "i" * 250}, nonce="~12345678")
    assert (checking.both, found.received.outcome) == ([], "failed")
    found, checking = arrival({**usual, "text": "t" * 300_000})
    assert (found.received.outcome, found.events) == ("failed", ())
    assert "bytes of data are more than the limit" in (found.received.error or "")
