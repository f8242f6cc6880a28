"""What stands for ids: fixed for ever, since it is stored, and a function of the id's text alone."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tidings.events.envelope import Envelope
from tidings.log.seen_key import Keys, Sought, order_of, orders_of

SECRET = bytes(range(32))
MS = 0x019C1B7D8C00  # 2026-02-01
UUID_7 = "019c1b7d-8c00-7abc-8def-0123456789ab"

EVENT = Envelope(
    id=UUID_7,
    source="/web",
    type="placed",
    subject="s",
    time="2026-05-04T10:11:12Z",
    attributes={"datacontenttype": "application/json"},
    data=b'{"n":1}',
)


def sought(*envelopes: Envelope) -> Sought:
    return Keys(SECRET).sought(envelopes)


@pytest.mark.parametrize(
    ("id", "order"),
    [
        (UUID_7, MS),
        (UUID_7.upper(), MS),
        (UUID_7.replace("-7abc", "-8abc"), MS),
        ("0", 0),
        ("281474976710655", 2**48 - 1),
        ("281474976710656", 2**32),
        ("18446744073709551615", 2**48 - 1),
        ("01KGDQV300ABCDEFGHJKMNPQRS", 0x019C1B7D8C00),
        ("01kgdqv300abcdefghjkmnpqrs", 0x019C1B7D8C00),
        ("2SwcbqZrPFDzWpxIWAj1sSNeHWk", None),
    ],
)
def test_an_id_that_holds_a_time_or_a_number_is_in_its_order(id: str, order: int | None) -> None:
    if order is None:
        ms = int.from_bytes(order_of(id) or b"", "big")
        assert ms % 1_000 == 0
        assert 1_600_000_000_000 < ms < 1_800_000_000_000  # a KSUID of 2023: its second, in milliseconds
    else:
        assert order_of(id) == order.to_bytes(6, "big")


@pytest.mark.parametrize(
    "id",
    [
        "",
        "a",
        "-1",
        "1.5",
        "٣",
        "18446744073709551616",
        UUID_7.replace("-7abc", "-4abc"),
        UUID_7.replace("-", "x"),
        "019c1b7 -8c00-7abc-8def-0123456789ab",
        "ffffffff-ffff-7abc-8def-0123456789ab",  # after 2100, so it is taken for no time
        "00000000-0000-7abc-8def-0123456789ab",
        "81KGDQV300ABCDEFGHJKMNPQRS",
        "01KGDQV300ABCDEFGHJKMNPQRU",
    ],
)
def test_any_other_id_is_opaque(id: str) -> None:
    assert order_of(id) is None


UUIDS = st.one_of(
    st.integers(0, 2**128 - 1).map(lambda number: str(UUID(int=number))),
    st.integers(MS, MS + 2**30).map(lambda ms: str(UUID(int=ms << 80 | 7 << 76 | 2 << 62))),
    st.text(alphabet="0123456789abcdefABCDEF- 78", min_size=36, max_size=36),
    st.builds(lambda at, it: UUID_7[:at] + it + UUID_7[at + 1 :], st.integers(15, 35), st.sampled_from("g -٣")),
    st.sampled_from([UUID_7, UUID_7.upper(), "019c1b7 -8c00-7abc-8def-0123456789ab", "17", "opaque"]),
)


@given(st.lists(UUIDS, max_size=6))
def test_many_at_once_have_the_orders_that_each_has_alone(ids: list[str]) -> None:
    assert list(orders_of(ids)) == [order_of(id) for id in ids]


@given(st.lists(st.integers(MS, MS + 2**30).map(lambda ms: str(UUID(int=ms << 80 | 7 << 76))), min_size=1))
def test_many_uuids_of_times_have_them_too(ids: list[str]) -> None:
    assert list(orders_of(ids)) == [order_of(id) for id in ids]
    assert None not in orders_of(ids)


def test_keys_are_fixed_for_ever() -> None:
    found = sought(EVENT, replace(EVENT, id="opaque"))
    assert [key.hex() for key in found.keys] == [
        "019c1b7d8c00a7bd81631c17feb7a6e3",
        "6aaba05b219214c4c52f298fcec920f2",
    ]
    assert (found.timed, found.opaque) == ([0], [1])


def test_sources_and_ids_do_not_run_together() -> None:
    one = sought(replace(EVENT, source="/a", id="bc"), replace(EVENT, source="/ab", id="c"))
    assert one.keys[0] != one.keys[1]


def test_another_log_has_other_keys() -> None:
    other = Keys(bytes(32)).sought([EVENT])
    assert other.keys[0][6:] != sought(EVENT).keys[0][6:]


@pytest.mark.parametrize("ids", [("a",), (UUID_7,), ("a", UUID_7, "b"), (UUID_7, "123", "a"), ()])
def test_a_key_is_the_same_alone_among_others_and_sought_after_it_was_asked_for(ids: tuple[str, ...]) -> None:
    keys = Keys(SECRET)
    found = keys.keys([("/web", id) for id in ids])
    events = [replace(EVENT, id=id) for id in ids]
    assert [*found] == [Keys(SECRET).key("/web", id)[0] for id in ids]
    assert keys.sought(events) == sought(*events)


def test_events_other_than_those_whose_keys_were_asked_for_have_keys_of_their_own() -> None:
    keys = Keys(SECRET)
    asked = [("/web", "a"), ("/web", "b")]
    for others in (["a"], ["b", "a"], ["a", "b", "c"], ["a", "c"], []):
        keys.keys(asked)
        events = [replace(EVENT, id=id) for id in others]
        assert keys.sought(events) == sought(*events)
    keys.keys(asked)
    elsewhere = [replace(EVENT, id=id, source="/app") for id in "ab"]
    assert keys.sought(elsewhere) == sought(*elsewhere)
