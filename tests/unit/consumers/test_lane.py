from __future__ import annotations

from tidings.consumers.lane import Lane, Part, next_lane
from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import Filter
from tidings.events.identity import slot_of
from tidings.log.driver import Page
from tidings.store.claims import Claim


def part(number: int, at: int, *, of: int = 4, gate: int = 0, position: int | None = None) -> Part:
    claim = Claim(
        consumer="c", part=number, partitions=of, position=at if position is None else position, epoch=1, gate=gate,
        expired=False,
    )  # fmt: skip
    return Part(claim, at)


def entry(position: int, subject: str = "a") -> Entry:
    return Entry(position, 1, Envelope(id=str(position), source="/s", type="t", subject=subject))


def slot(envelope: Envelope) -> int:
    return slot_of(envelope.source, envelope.id, envelope.subject)


def part_of(subject: str) -> int:
    return slot_of("", "", subject) * 4 >> 10


def test_partitions_at_one_position_go_together() -> None:
    parts = [part(number, 7) for number in range(4)]
    lane = next_lane(parts)
    assert lane == Lane(tuple(parts), None)
    assert lane.slots is None


def test_partitions_that_are_behind_come_first_up_to_where_the_others_stand() -> None:
    lane = next_lane([part(0, 9), part(1, 5), part(2, 5), part(3, 7)])
    assert [each.claim.part for each in lane.parts] == [1, 2]
    assert lane.bound == 7
    assert lane.slots == ((256, 768),)


def test_a_page_is_cut_where_the_others_stand() -> None:
    lane = next_lane([part(number, 5 if number else 7) for number in range(4)])
    subject = next(name for name in "abcdefgh" if part_of(name) == 1)
    page = Page(tuple(entry(position, subject) for position in (6, 7, 8)), 9)
    batch = lane.batch(page, limit=100)
    assert [each.position for each in batch.entries] == [6, 7]
    assert (batch.upto, batch.is_full) == (7, True)


def test_entries_of_partitions_in_between_that_are_not_held_are_not_read() -> None:
    lane = next_lane([part(0, 5), part(2, 5)])
    assert lane.slots == ((0, 256), (512, 768))
    subjects = {part_of(name): name for name in map(str, range(60))}
    where = Filter(slots=lane.slots)
    read = [number for number in range(4) if where.matches(event := entry(6, subjects[number]).envelope, slot(event))]
    assert read == [0, 2]
    claims = [lane.claim_of(entry(6, subjects[number])) for number in range(4)]
    assert [None if claim is None else claim.part for claim in claims] == [0, None, 2, None]


def test_a_lane_ends_at_its_gate() -> None:
    lane = next_lane([part(0, 5, gate=8), part(1, 5, gate=6)])
    assert lane.is_gated
    assert lane.bound == 6
    after = next_lane([part(0, 8, gate=8)])
    assert not after.is_gated
    assert after.bound is None


def test_what_is_gated_goes_apart_from_what_is_not() -> None:
    lane = next_lane([part(0, 5, gate=8), part(1, 5)])
    assert [each.claim.part for each in lane.parts] == [0]
    assert lane.bound == 8


def test_a_lane_that_is_read_further_than_its_checkpoints_is_not_settled() -> None:
    lane = next_lane([part(0, 9, position=4, of=1)])
    assert lane.at == 9
    assert lane.is_unsettled
    assert not lane.moved(9).is_unsettled


def test_a_full_page_may_have_more_behind_it() -> None:
    lane = next_lane([part(0, 5, of=1)])
    assert lane.batch(Page((entry(6), entry(7)), 7), limit=2).is_full
    assert not lane.batch(Page((entry(6), entry(7)), 9), limit=3).is_full
