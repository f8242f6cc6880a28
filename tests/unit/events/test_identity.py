"""Keys, slots and derived ids are stored and shared between processes, so their values are fixed for ever."""

from __future__ import annotations

from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.events.identity import (
    SLOTS,
    derived_id,
    identity_key,
    lane_subject,
    slot_of,
    subject_key,
    subject_keys,
    uuid7,
)

MILLISECOND = 1_777_888_999_123
TIMES = st.integers(0, 2**48 * 1_000 - 1)
PARTS = st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        ("", -1_970_711_489_451_281_740),
        ("20", 7_660_717_256_841_499_384),
        ("jack", 3_299_270_967_508_435_677),
        ("é😀", 7_447_915_702_017_694_454),
        ("x" * 1024, -6_619_051_867_926_490_197),
    ],
)
def test_the_key_of_a_subject_is_fixed_for_ever(subject: str, key: int) -> None:
    assert subject_key(subject) == key
    assert -(2**63) <= key < 2**63


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)))))
def test_many_subjects_have_the_keys_of_each(subjects: list[str]) -> None:
    assert list(subject_keys(subjects)) == [subject_key(subject) for subject in subjects]


def test_the_key_and_the_slot_of_an_identity_are_fixed_for_ever() -> None:
    assert identity_key("web", "bm-1") == 8_967_021_906_566_827_474
    assert slot_of("web", "bm-1", None) == 466
    assert slot_of("web", "bm-1", "20") == slot_of("other", "bm-2", "20") == 760
    assert slot_of("web", "bm-1", "jack") == 733
    assert SLOTS == 1024


def test_two_identities_that_read_alike_in_one_piece_have_different_keys() -> None:
    assert identity_key("ab", "c") != identity_key("a", "bc")
    assert lane_subject("ab", "c", None) != lane_subject("a", "bc", None)


def test_an_event_without_a_subject_is_a_subject_of_its_own() -> None:
    assert lane_subject("web", "1", "20") == "20"
    lanes = {lane_subject("web", "1", None), lane_subject("web", "2", None), lane_subject("app", "1", None)}
    assert len(lanes) == 3
    assert all(lane.startswith("\x00") for lane in lanes)  # which no subject can


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_every_subject_has_one_of_1024_slots(subject: str) -> None:
    assert 0 <= slot_of("a", "b", subject) < SLOTS
    assert slot_of("a", "b", subject) == slot_of("c", "d", subject)


def test_keys_of_many_subjects_are_the_keys_of_each() -> None:
    subjects = ["20", "", "jack", "20", "é"]
    assert list(subject_keys(subjects)) == [subject_key(subject) for subject in subjects]
    assert subject_keys([]) == ()


@given(TIMES, st.integers(0, 2**80))
def test_a_uuid_7_begins_with_its_millisecond_and_has_the_right_bits(now_us: int, bits: int) -> None:
    made = UUID(uuid7(now_us, bits))
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == now_us // 1_000
    assert made.int & (1 << 62) - 1 == bits & (1 << 62) - 1
    assert made.int >> 64 & 0xFFF == bits >> 62 & 0xFFF


def test_uuids_7_sort_by_their_time() -> None:
    made = [uuid7(MILLISECOND * 1_000 + ms * 1_000, 2**74 - 1 - ms) for ms in range(50)]
    assert made == sorted(made)


@given(TIMES, PARTS)
def test_a_derived_id_is_a_uuid_8_that_begins_with_when_its_cause_was_recorded(recorded: int, parts: list[str]) -> None:
    made = derived_id(recorded, *parts)
    assert made == derived_id(recorded, *parts) == derived_id(recorded - recorded % 1_000, *parts)
    assert (UUID(made).version, UUID(made).variant) == (8, RFC_4122)
    assert UUID(made).int >> 80 == recorded // 1_000
    assert made != derived_id(recorded, *parts, "")


def test_derived_ids_are_fixed_for_ever() -> None:
    assert derived_id(0, "emit", "bookmarks", "0") == "00000000-0000-8d32-99d0-dc229081f59f"
    assert derived_id(MILLISECOND * 1_000 + 456, "web", "bm-1", "é") == "019df271-36d3-8497-a8c7-ae2508080935"
    assert derived_id(0, "ab", "c") != derived_id(0, "a", "bc")
