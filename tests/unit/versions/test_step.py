"""One conversion for every reader: what comes out of it, and what is never changed by it."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.versions.bookmarks import (
    ONE,
    THREE,
    TWO,
    TYPE,
    first,
    folder_added,
    folder_left_out,
    owner_from_user,
    said,
    second,
    third,
    user_from_owner,
)
from tidings.errors import InvalidDataError, TransformError
from tidings.events.declaration import declared, event
from tidings.events.envelope import Entry, Envelope
from tidings.events.transformers import Fixed, upcaster
from tidings.versions.known import versions_of
from tidings.versions.lineage import Lineage
from tidings.versions.step import Adapted, Unreadable, adapt, serve

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


class Before(msgspec.Struct):
    cents: int
    currency: str = "EUR"


class After(msgspec.Struct, forbid_unknown_fields=True):
    cents: int


def read(envelope: Envelope, *classes: Any, native: Any = None) -> Adapted | Unreadable:
    versions = versions_of(classes)
    return adapt(Entry(1, 0, envelope), versions.reader([declared(native or classes[-1])]))


def test_stored_data_is_brought_to_the_readers_class_and_stays_as_it_was_written() -> None:
    envelope = said(1, ONE)
    found = read(envelope, third())
    assert isinstance(found, Adapted)
    assert (found.event.owner.id, found.event.folder, found.version) == ("jack", "all", 3)
    assert (found.envelope.dataversion, found.envelope.stored_version) == (3, 1)
    assert msgspec.json.decode(found.envelope.data or b"")["owner"] == {"kind": "user", "id": "jack"}
    assert (envelope.version, envelope.stored_version, envelope.data) == (1, 1, ONE)


def test_a_current_entry_is_handed_on_as_it_is() -> None:
    envelope = said(3, THREE)
    found = read(envelope, third())
    assert isinstance(found, Adapted)
    assert found.envelope is envelope


def test_of_several_classes_the_nearest_higher_one_that_steps_lead_to_reads_it() -> None:
    versions = versions_of([second(), third()])
    reader = versions.reader(list(versions.lineages[TYPE].natives.values()))
    found = [adapt(Entry(1, 0, said(n, data)), reader) for n, data in ((1, ONE), (2, TWO), (3, THREE))]
    assert [each.version for each in found] == [2, 2, 3]


def test_a_step_that_the_schemas_allow_need_not_be_written() -> None:
    found = read(said(1, b'{"tweet_id":"20","user_id":"jack","folder":7}'), first(), second())
    assert isinstance(found, Adapted)
    assert found.event.folder == "all"  # what version 1 does not declare is no folder


def test_a_member_that_the_newer_version_has_no_more_is_left_out_by_the_step_that_follows() -> None:
    @event(TYPE, version=2, subject="tweet_id")
    class Anonymous:
        tweet_id: str

    found = read(said(1, ONE), first(), Anonymous)
    assert isinstance(found, Adapted)
    assert (found.version, found.event.tweet_id) == (2, "20")
    assert found.envelope.data == b'{"tweet_id":"20"}'
    told = serve(Entry(1, 0, said(1, ONE)), 2, versions_of([first(), Anonymous]).lineages)
    assert isinstance(told, Envelope)
    assert told.data == b'{"tweet_id":"20"}'


def test_a_member_of_a_part_that_has_it_no_more_is_left_out_where_the_part_takes_no_other() -> None:
    @event(TYPE, version=1, subject="tweet_id")
    class Old:
        tweet_id: str
        paid: list[Before]

    @event(TYPE, version=2, subject="tweet_id")
    class New:
        tweet_id: str
        paid: list[After]

    found = read(said(1, b'{"tweet_id":"20","paid":[{"cents":5,"currency":"USD"}]}'), Old, New)
    assert isinstance(found, Adapted)
    assert found.event.paid == [After(5)]


def test_an_older_class_reads_a_newer_version_that_it_tolerates_and_no_other() -> None:
    one, two, three = first(), second(), third(steps=False)
    found = read(said(2, TWO), one, two, native=one)
    assert isinstance(found, Adapted)
    assert (found.event.user_id, found.version) == ("jack", 1)
    other = read(said(3, THREE), one, two, three, native=two)
    assert isinstance(other, Unreadable)
    assert (other.version, other.accepts) == (3, (1, 2))
    assert "tweet-bookmarked version 3 cannot be read here, where 1, 2 can" in other.why


def test_a_changed_meaning_lets_nobody_tolerate_it() -> None:
    one = first()

    @event(TYPE, version=2, subject="tweet_id", semantic_change=True)
    class Other:
        tweet_id: str
        user_id: str

    upcaster(Other, from_version=1)(lambda data: data)
    lineage = Lineage(TYPE, [declared(one), declared(Other)])
    assert lineage.tolerance(2, 1) is None
    assert lineage.path(2, 1) is None
    assert lineage.path(1, 2) is not None


@pytest.mark.parametrize(
    "up",
    [
        lambda data: data["nothing"],
        lambda data: None,
        lambda data: [data],
        lambda data: {"order_id": "1", "cents": 5},
        lambda data: {**owner_from_user(data), "cents": 5},
        lambda data: exit(1),
    ],
)
def test_a_step_that_fails_or_returns_other_data_is_its_authors_fault(up: Any) -> None:
    with pytest.raises(TransformError, match="redrive the subject"):
        read(said(2, TWO), third(up=up))


@pytest.mark.parametrize("data", [b"[1]", b"{", b'"x"', b"\xff"])
def test_stored_data_that_is_no_object_is_the_datas_fault(data: bytes) -> None:
    with pytest.raises(InvalidDataError):
        read(said(1, data), third())


def test_a_step_may_know_what_no_version_changes_of_the_envelope() -> None:
    told: list[Fixed] = []

    def up(data: dict[str, Any], fixed: Fixed) -> dict[str, Any]:
        told.append(fixed)
        return owner_from_user(data)

    read(said(2, TWO), third(up=up))
    assert told == [Fixed("e1", "/web", "20", None)]


def test_what_is_served_outside_goes_down_step_by_step() -> None:
    versions = versions_of([third()])
    served = [serve(Entry(1, 0, said(3, THREE)), n, versions.lineages) for n in (1, 2, 3, 4)]
    one, two, three, four = served
    assert isinstance(one, Envelope)
    assert msgspec.json.decode(one.data or b"") == {"tweet_id": "20", "user_id": "jack"}
    assert isinstance(two, Envelope)
    assert msgspec.json.decode(two.data or b"")["user_id"] == "jack"
    assert three == said(3, THREE)
    assert isinstance(four, Unreadable)
    assert "no steps lead from tweet-bookmarked version 3 to 4" in four.why
    up = serve(Entry(1, 0, said(1, ONE)), 2, versions.lineages)
    assert isinstance(up, Envelope)
    assert msgspec.json.decode(up.data or b"")["folder"] == "all"


@settings(deadline=None)
@given(tweet=TEXTS, user=TEXTS)
def test_a_chain_is_its_steps_one_after_the_other(tweet: str, user: str) -> None:
    data = {"tweet_id": tweet, "user_id": user}
    before = copy.deepcopy(data)
    by_hand = owner_from_user(folder_added(data))
    found = read(said(1, msgspec.json.encode(data), subject=tweet), CLASS)
    assert isinstance(found, Adapted)
    assert msgspec.json.decode(found.envelope.data or b"") == by_hand
    assert data == before


@settings(deadline=None)
@given(tweet=TEXTS, user=TEXTS, folder=TEXTS)
def test_down_and_up_again_loses_what_is_declared_and_nothing_else(tweet: str, user: str, folder: str) -> None:
    data = {"tweet_id": tweet, "owner": {"kind": "team", "id": user}, "folder": folder}
    again = owner_from_user(user_from_owner(data))
    assert again == {**data, "owner": {"kind": "user", "id": user}}
    assert owner_from_user(user_from_owner(again)) == again
    assert folder_added(folder_left_out(user_from_owner(data))) == {**user_from_owner(data), "folder": "all"}


CLASS = third()
