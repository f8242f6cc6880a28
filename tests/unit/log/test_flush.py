"""What one flush may hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.log.writes import queued
from tidings.events.filter import EVERYTHING
from tidings.log.driver import Condition
from tidings.log.flush import BYTES, ENVELOPES, LOOK_AHEAD, Queued, retry_delay, take


def ids(items: Iterable[Queued]) -> list[str]:
    return ["+".join(envelope.id for envelope in item.write.envelopes) for item in items]


def flushes(items: Iterable[Queued]) -> list[list[str]]:
    """Return the ids of all flushes until the queue is empty."""
    queue = deque(items)
    found = []
    while queue:
        taken, _ = take(queue)
        found.append(ids(taken))
    return found


async def test_a_flush_takes_all_that_waits_in_order() -> None:
    assert flushes([queued("a", "b"), queued("c", subject="s"), queued("d", subject="s")]) == [["a+b", "c", "d"]]


async def test_a_flush_holds_at_most_a_thousand_envelopes() -> None:
    first = queued(*(f"1-{n}" for n in range(ENVELOPES - 2)))
    queue = deque([first, queued("a"), queued("b", "c"), queued("d")])
    assert len(take(queue)[0]) == 2
    assert ids(take(queue)[0]) == ["b+c", "d"]


async def test_a_flush_holds_at_most_four_mebibytes() -> None:
    assert flushes([queued("a", size=BYTES - 1), queued("b"), queued("c")]) == [["a", "b"], ["c"]]


async def test_a_larger_write_goes_alone() -> None:
    large = queued(*(f"1-{n}" for n in range(ENVELOPES + 1)))
    assert [len(flush) for flush in flushes([queued("a"), large, queued("b")])] == [1, 1, 1]
    assert flushes([queued("a"), queued("b", size=BYTES + 1), queued("c")]) == [["a"], ["b"], ["c"]]


async def test_a_repeat_waits_for_the_next_flush_and_others_do_not() -> None:
    assert flushes([queued("a"), queued("a"), queued("b"), queued("a"), queued("b")]) == [
        ["a", "b"],
        ["a", "b"],
        ["a"],
    ]
    assert flushes([queued("a", "b"), queued("b", "c"), queued("d")]) == [["a+b", "d"], ["b+c"]]


async def test_a_write_with_expectations_shares_no_subject() -> None:
    plain, careful = queued("1", subject="s"), queued("2", subject="s", expected={"s": 0})
    assert flushes([plain, careful]) == [["1"], ["2"]]
    assert flushes([careful, plain]) == [["2"], ["1"]]
    assert flushes([careful, queued("3", subject="other", expected={"other": 0})]) == [["2", "3"]]


async def test_a_subject_that_is_only_expected_counts_too() -> None:
    careful = queued("1", subject="s", expected={"seen": 3})
    assert flushes([careful, queued("2", subject="seen")]) == [["1"], ["2"]]
    assert flushes([queued("2", subject="seen"), careful]) == [["2"], ["1"]]
    assert flushes([queued("3", subject="t", expected={"seen": 3}), careful]) == [["3"], ["1"]]


async def test_what_stays_keeps_the_later_ones_of_its_subject_behind_it() -> None:
    items = [
        queued("1", subject="s"),
        queued("2", subject="s", expected={"s": 0}),
        queued("3", subject="s"),
        queued("4", subject="t"),
    ]
    assert flushes(items) == [["1", "4"], ["2"], ["3"]]


async def test_a_write_with_a_condition_goes_alone() -> None:
    alone = queued("2", condition=Condition(where=EVERYTHING, after=0))
    assert flushes([queued("1"), alone, queued("3"), queued("4")]) == [["1"], ["2"], ["3", "4"]]


async def test_nobody_is_overtaken_for_ever() -> None:
    """However many repeats of one id wait, a flush looks only so far for others."""
    queue = deque([queued("a") for _ in range(LOOK_AHEAD + 2)] + [queued("b")])
    assert ids(take(queue)[0]) == ["a"]
    assert ids(take(queue)[0]) == ["a"]
    assert ids(take(queue)[0]) == ["a", "b"]


async def test_what_nobody_waits_for_is_not_taken() -> None:
    items = [queued("a"), queued("b"), queued("c")]
    items[1].receipt.cancel()
    taken, left = take(deque(items))
    assert (ids(taken), ids(left)) == (["a", "c"], ["b"])


WRITES = st.lists(
    st.fixed_dictionaries(
        {
            "ids": st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3, unique=True),
            "subject": st.none() | st.sampled_from("stu"),
            "expected": st.dictionaries(st.sampled_from("stu"), st.just(0), max_size=2),
            "condition": st.none() | st.just(Condition(where=EVERYTHING, after=0)),
        }
    ),
    max_size=12,
)


def subjects(item: Queued) -> set[str]:
    return {envelope.subject for envelope in item.write.envelopes if envelope.subject} | set(item.write.expected)


@given(WRITES)
async def test_every_flush_can_be_judged_by_sets(drawn: list[dict[str, object]]) -> None:
    items = [queued(*write.pop("ids"), **write) for write in map(dict, drawn)]  # type: ignore[misc,arg-type]
    queue, order = deque(items), []
    while queue:
        taken, _ = take(queue)
        assert taken
        order += taken
        identities = [identity for item in taken for identity in item.identities]
        assert len(identities) == len(set(identities))
        assert len(taken) == 1 or all(item.write.condition is None for item in taken)
        for item in taken:
            others = set().union(*(subjects(other) for other in taken if other is not item))
            assert not item.write.expected or others.isdisjoint(subjects(item))
    assert sorted(map(id, order)) == sorted(map(id, items))
    for subject in "stu":
        own = [item for item in items if subject in subjects(item)]
        assert [item for item in order if subject in subjects(item)] == own


def test_a_retry_waits_longer_each_time_up_to_two_seconds() -> None:
    draw = Random(1)
    for attempt, most in ((1, 0.02), (2, 0.04), (5, 0.32), (8, 2.0), (1_000, 2.0)):
        delays = [retry_delay(attempt, draw) for _ in range(300)]
        assert 0 <= min(delays) < 0.1 * most
        assert 0.9 * most < max(delays) <= most
