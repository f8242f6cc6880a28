"""Keys are as long as every back end can index, and not a byte longer."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from tests.unit.views.events import Bookmarked, bookmarks, entry, fold
from tidings.errors import InvalidDataError
from tidings.events.declaration import event
from tidings.events.rules import INDEXED_BYTES_MAX
from tidings.views.declaration import ViewSpec
from tidings.views.fold import Folding


@event("parcel-sent")
class ParcelSent(msgspec.Struct, frozen=True):
    number: bytes
    place: int


class Parcel(msgspec.Struct, frozen=True):
    number: bytes
    place: int


PARCELS = ViewSpec(
    service="s", row=Parcel, key=("number", "place"), folds=(fold(ParcelSent, lambda _, e: Parcel(e.number, e.place)),)
)


def texts(size: int, alphabet: str) -> str:
    return "".join(random.Random(7).choices(alphabet, k=size))


def key_of(view: ViewSpec, said: Any) -> Any:
    return Folding(view).read(entry(3, said, "e1", 1))[0]


@pytest.mark.parametrize(
    ("user", "tweet"),
    [
        (texts(INDEXED_BYTES_MAX - 2, "abc"), "20"),
        ("j", texts((INDEXED_BYTES_MAX - 1) // 4, "\U0001f600\U0001f601") + "abc"),
        (texts(1_000, "abc"), texts(500, "éß")),
    ],
)
def test_texts_of_2000_bytes_together_are_a_key(user: str, tweet: str) -> None:
    assert len((user + tweet).encode()) == INDEXED_BYTES_MAX
    assert key_of(bookmarks(), Bookmarked(tweet, user)) == (user, tweet)
    with pytest.raises(InvalidDataError):
        key_of(bookmarks(), Bookmarked(tweet + "x", user))


def test_one_of_2001_bytes_is_told_with_its_view_and_columns_and_what_to_do() -> None:
    with pytest.raises(InvalidDataError) as failed:
        key_of(bookmarks(), Bookmarked("20", texts(1_999, "abc")))
    assert str(failed.value) == (
        "event 'web' 'e1' at position 3 cannot be placed in the view chirp.bookmark: its key has 2,001 bytes "
        "(user_id 1,999, tweet_id 2), and every back end finds rows by at most 2,000: correct who sends it and drop "
        "this entry, or key the view by something shorter, such as a hash, and rebuild it"
    )


def test_bytes_count_and_numbers_do_not() -> None:
    assert key_of(PARCELS, ParcelSent(b"x" * 2_000, 2**62)) == (b"x" * 2_000, 2**62)
    with pytest.raises(InvalidDataError, match=r"2,001 bytes \(number 2,001\)"):
        key_of(PARCELS, ParcelSent(b"x" * 2_001, 1))
