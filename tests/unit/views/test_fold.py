"""Folding one row's events: the same end for every order, and a failure that names the event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.views.events import (
    DAY,
    Bookmark,
    Bookmarked,
    Left,
    Name,
    Past,
    Price,
    Priced,
    Renamed,
    Unbookmarked,
    bookmarks,
    entry,
    fold,
    names,
    pasts,
    remove,
)
from tidings.errors import (
    ColumnOverflowError,
    EnvelopeError,
    FoldError,
    InvalidDataError,
    VersionUnreadableError,
)
from tidings.events.declaration import event
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import identity_key
from tidings.events.timestamp import time_us
from tidings.store.rows import Rank, Row
from tidings.views.declaration import ViewSpec
from tidings.views.fold import Folding, in_rank_order
from tidings.views.ranks import is_above, member_rank, time_rank


def folded(view: ViewSpec, entries: Sequence[Entry]) -> dict[Any, Row]:
    folding = Folding(view)
    return {key: folding.fold(key, in_rank_order(steps)) for key, steps in folding.by_key(entries).items()}


def test_an_entry_becomes_a_step_with_key_rank_and_event() -> None:
    key, step = Folding(bookmarks()).read(entry(7, Bookmarked("20", "jack"), "e1", DAY))
    assert key == ("jack", "20")
    assert (step.at, step.position, step.source, step.id) == (DAY, 7, "web", "e1")
    assert step.event == Bookmarked("20", "jack")


def test_events_are_folded_in_the_order_of_their_times() -> None:
    late_delete = [entry(1, Unbookmarked("20", "jack"), "e1", 2), entry(2, Bookmarked("20", "jack"), "e2", 1)]
    (row,) = folded(bookmarks(), late_delete).values()
    assert row.is_tombstone
    assert row.values == ("jack", "20")
    assert (row.rank.at, row.position) == (2, 2)


def test_every_order_of_arrival_and_every_repetition_ends_in_one_row() -> None:
    history = [
        ("a", Renamed("jack", "A"), 1),
        ("b", Renamed("jack", "B"), 2),
        ("c", Renamed("jack", "C"), 2),
        ("d", Left("jack"), 3),
        ("e", Renamed("jack", "E"), 4),
        ("b", Renamed("jack", "B"), 2),
    ]
    ends = set()
    for order in permutations(history):
        entries = [entry(position, said, id, at) for position, (id, said, at) in enumerate(order, 1)]
        (row,) = folded(pasts(), entries).values()
        ends.add((row.values, row.rank))
    assert len(ends) == 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), min_size=1, max_size=6), st.randoms())
def test_the_outcome_depends_on_ids_and_times_alone(said: list[tuple[str, int]], random: Any) -> None:
    history = [(f"{name}{at}", Renamed("jack", name), at) for name, at in said]
    shuffled = random.sample(history, len(history))
    first = folded(pasts(), [entry(n, said, id, at) for n, (id, said, at) in enumerate(history, 1)])
    second = folded(pasts(), [entry(n, said, id, at) for n, (id, said, at) in enumerate(shuffled, 1)])
    assert {key: (row.values, row.rank) for key, row in first.items()} == {
        key: (row.values, row.rank) for key, row in second.items()
    }


def test_folding_in_two_parts_is_folding_at_once() -> None:
    history = [entry(n, Renamed("jack", str(n)), f"e{n}", n) for n in range(1, 6)]
    folding = Folding(pasts())
    ((key, steps),) = folding.by_key(history).items()
    whole = folding.fold(key, steps)
    for cut in range(1, 5):
        assert folding.fold(key, steps[cut:], onto=folding.fold(key, steps[:cut])) == whole


def test_a_fold_that_returns_none_leaves_a_tombstone_that_the_next_event_finds_empty() -> None:
    folding = Folding(names())
    ((key, steps),) = folding.by_key(
        [entry(1, Renamed("jack", "A"), "a", 1), entry(2, Left("jack"), "b", 2), entry(3, Renamed("jack", "C"), "c", 3)]
    ).items()
    gone = folding.fold(key, steps[:2])
    assert gone.rank.kind == 1
    assert folding.fold(key, steps[2:], onto=gone).values == ("jack", "C", 1)


def test_a_number_that_no_column_can_hold_is_told_apart_from_a_fold_that_may_come_right() -> None:
    large = fold(Renamed, lambda _, event: Name(event.user_id, "x", 2**63))
    view = ViewSpec(service="s", row=Name, key=("user_id",), folds=(large,))
    with pytest.raises(ColumnOverflowError, match=r"64 bits.*declare it Decimal or str.*or drop the entry") as failed:
        folded(view, [entry(1, Renamed("jack", "A"), "a", 1)])
    assert "correct the fold, then redrive" not in str(failed.value)


def test_the_kind_of_the_row_takes_no_part_in_the_order_of_events() -> None:
    own = identity_key("web", "e1")
    assert is_above(5, "web", "e1", Rank(at=5, settled=0, kind=1, hash=own - 1))
    assert not is_above(5, "web", "e1", Rank(at=5, settled=0, kind=1, hash=own))
    assert not is_above(5, "web", "e1", Rank(at=5, settled=0, kind=0, hash=own + 1))
    assert is_above(6, "web", "e1", Rank(at=5, settled=0, kind=1, hash=own + 1))
    assert not is_above(4, "web", "e1", Rank(at=5, settled=0, kind=0, hash=own - 1))


def test_a_settled_state_stands_above_an_event_of_its_time() -> None:
    assert not is_above(5, "web", "e1", Rank(at=5, settled=1, kind=0, hash=-(2**63)))


def test_an_event_without_a_time_ranks_by_when_it_was_recorded() -> None:
    assert time_rank(entry(5, Left("jack"), "e", None)) == 1_000_005


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-04T10:11:12Z",
        "2026-05-04T10:11:12.5Z",
        "2026-05-04T10:11:12.123456789Z",
        "2026-05-04t10:11:12z",
        "2026-05-04T10:11:12.25+05:30",
        "1969-12-31T23:59:59.999999-00:00",
        "2026-12-31T23:59:60Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_every_form_of_a_time_ranks_as_the_log_reads_it(text: str) -> None:
    said = Entry(1, 0, Envelope(id="e", source="web", type="t", time=text))
    assert time_rank(said) == time_us(text)


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_ranks_as_the_log_reads_it(moment: datetime) -> None:
    text = moment.isoformat()
    try:
        expected = time_us(text)
    except EnvelopeError:
        return
    assert time_rank(Entry(1, 0, Envelope(id="e", source="web", type="t", time=text))) == expected


def test_a_rank_may_be_a_number_or_a_datetime() -> None:
    assert member_rank(7) == 7
    assert member_rank(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000
    for wrong in (True, 1.5, "7", None, 2**63, datetime(1970, 1, 1)):  # noqa: DTZ001  # no offset, no moment
        with pytest.raises((TypeError, ValueError, OverflowError)):
            member_rank(wrong)


def test_a_view_may_rank_by_a_member_of_its_events() -> None:
    def price(row: Price | None, event: Priced) -> Price:
        return Price(event.item, event.price)

    view = ViewSpec(service="s", row=Price, key=("item",), rank="revision", folds=(fold(Priced, price),))
    entries = [entry(1, Priced("x", 20, 2), "b", 0), entry(2, Priced("x", 10, 1), "a", DAY)]
    assert folded(view, entries)[("x",)].values == ("x", 20)


def boom(row: Any, event: Any) -> Any:
    raise KeyError("handle")


def view_of(function: Any) -> ViewSpec:
    return ViewSpec(service="chirp", row=Name, key=("user_id",), folds=(fold(Renamed, function),))


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (boom, "KeyError: 'handle'"),
        (lambda row, event: event, "which is no Name and not None"),
        (lambda row, event: Bookmark("a", "b"), "which is no Name and not None"),
        (lambda row, event: Name("ann", "x", 1), "another key"),
        (lambda row, event: Name("jack", 5, 1), "name: expected str"),
        (lambda row, event: Name("jack", "x", 2**70), "changes: the number needs"),
    ],
)
def test_a_fold_that_fails_is_told_with_its_event(function: Any, told: str) -> None:
    with pytest.raises(FoldError, match=told) as raised:
        folded(view_of(function), [entry(9, Renamed("jack", "A"), "e1")])
    assert "'web' 'e1' at position 9" in str(raised.value)
    assert "chirp.name" in str(raised.value)


def test_a_fold_may_change_the_row_it_was_given() -> None:
    def append(row: Price | None, event: Priced) -> Price:
        row = row or Price(event.item, 0)
        row.price += event.price
        return row

    view = ViewSpec(service="s", row=Price, key=("item",), folds=(fold(Priced, append),))
    entries = [entry(n, Priced("x", 10, 0), f"e{n}", n) for n in (1, 2, 3)]
    assert folded(view, entries)[("x",)].values == ("x", 30)


def test_a_list_in_a_row_is_not_the_list_of_the_row_before() -> None:
    def share(row: Past | None, event: Renamed) -> Past:
        names = row.names if row else []
        names.append(event.name)
        return Past(event.user_id, names)  # type: ignore[call-arg]

    view = ViewSpec(service="s", row=Past, key=("user_id",), folds=(fold(Renamed, share),))
    entries = [entry(n, Renamed("jack", str(n)), f"e{n}", n) for n in (1, 2)]
    assert folded(view, entries)[("jack",)].values == ("jack", '["1","2"]')


def test_data_that_does_not_fit_the_class_is_told_with_its_path() -> None:
    wrong = Entry(1, 0, Envelope(id="e", source="web", type="user-left", subject="jack", data=b'{"user_id":5}'))
    with pytest.raises(InvalidDataError, match="/user_id"):
        Folding(names()).read(wrong)


def test_a_version_without_a_fold_is_told() -> None:
    wrong = Entry(1, 0, Envelope(id="e", source="web", type="user-left", version=2, subject="jack", data=b"{}"))
    with pytest.raises(VersionUnreadableError, match="user-left version 1"):
        Folding(names()).read(wrong)


def test_an_event_whose_subject_is_not_its_member_is_refused() -> None:
    wrong = Entry(1, 0, Envelope(id="e", source="web", type="user-left", subject="ann", data=b'{"user_id":"jack"}'))
    with pytest.raises(InvalidDataError, match="subject 'ann'"):
        Folding(names()).read(wrong)


def test_a_key_that_no_engine_keeps_is_refused_before_it_is_asked_for() -> None:
    @event("counted", subject="number")
    class Counted:
        number: int

    @event("counted-row")
    class Row:
        number: int

    view = ViewSpec(service="s", row=Row, key=("number",), folds=(fold(Counted, lambda row, event: Row(event.number)),))
    big = str(2**64)
    wrong = Entry(
        1, 0, Envelope(id="e", source="web", type="counted", subject=big, data=f'{{"number":{big}}}'.encode())
    )
    with pytest.raises(InvalidDataError, match="64 bits"):
        Folding(view).read(wrong)


def test_an_event_that_is_there_twice_is_one_step() -> None:
    folding = Folding(names())
    ((_, steps),) = folding.by_key([entry(n, Renamed("jack", "A"), "same", 1) for n in (1, 2, 3)]).items()
    assert len(in_rank_order(steps)) == 1


class Outrage(BaseException):
    """An error of an author who did not derive it from Exception, and whose message cannot be read either."""

    def __str__(self) -> str:
        raise SystemExit


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Outrage()], ids=type)
def test_whatever_a_fold_raises_is_its_failure(error: BaseException) -> None:
    def end(row: Name | None, event: Renamed) -> Name:
        raise error

    view = ViewSpec(service="s", row=Name, key=("user_id",), folds=(fold(Renamed, end),))
    with pytest.raises(FoldError, match=f"position 7 with {type(error).__name__}"):
        folded(view, [entry(7, Renamed("jack", "A"), "e", 1)])


def test_whatever_the_code_of_an_events_class_raises_is_a_failure_of_that_entry() -> None:
    @event("ended", subject="user_id")
    class Ended:
        user_id: str
        name: str

        def __post_init__(self) -> None:
            raise SystemExit(self.name)

    view = ViewSpec(service="s", row=Name, key=("user_id",), folds=(fold(Ended, remove),))
    with pytest.raises(InvalidDataError, match=r"event 'web' 'e' at position 7 cannot be placed .* SystemExit: now"):
        Folding(view).read(
            Entry(
                7,
                0,
                Envelope(id="e", source="web", type="ended", subject="jack", data=b'{"user_id":"jack","name":"now"}'),
            )
        )


def test_a_key_of_a_class_of_its_own_is_a_failure_of_that_entry_and_runs_no_code_of_it() -> None:
    class Odd(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __ne__(self, other: object) -> bool:
            raise KeyboardInterrupt

    @event("oddly-named", subject="user_id")
    @dataclass
    class Named:
        user_id: str

        def __post_init__(self) -> None:
            self.user_id = Odd(self.user_id)

    view = ViewSpec(service="s", row=Name, key=("user_id",), folds=(fold(Named, remove),))
    said = Envelope(id="e", source="web", type="oddly-named", subject="jack", data=b'{"user_id":"jack"}')
    with pytest.raises(InvalidDataError, match=r"position 7 .*user_id: expected str"):
        Folding(view).read(Entry(7, 0, said))


def test_an_entry_that_cannot_be_read_is_named() -> None:
    wrong = Entry(7, 0, Envelope(id="e", source="web", type="user-left", subject="jack", data=b'{"user_id":5}'))
    with pytest.raises(InvalidDataError, match="event 'web' 'e' at position 7") as refused:
        Folding(names()).read(wrong)
    assert [at for at, _ in refused.value.errors] == ["/user_id"]
