from __future__ import annotations

import dataclasses
import pickle
from typing import Annotated, Any, NewType

import msgspec
import pydantic
import pytest

from tidings.errors import DeclarationError
from tidings.events.declaration import declared, declared_class, declared_instance, event, hints_of, value_class

Name = NewType("Name", str)


@event("tweet-bookmarked", version=2, subject="tweet_id")
class TweetBookmarked:
    """A reader kept a tweet."""

    tweet_id: str
    user_id: str
    folder: str = "all"

    @property
    def address(self) -> str:
        return f"{self.user_id}/{self.folder}"


def test_a_plain_class_becomes_a_frozen_value_that_takes_positions_and_keeps_its_methods() -> None:
    bookmarked = TweetBookmarked("20", "jack")
    assert bookmarked == TweetBookmarked(tweet_id="20", user_id="jack", folder="all")
    assert hash(bookmarked) == hash(TweetBookmarked("20", "jack"))
    assert bookmarked.address == "jack/all"
    assert TweetBookmarked.__doc__ == "A reader kept a tweet."
    assert TweetBookmarked.__module__ == __name__
    assert pickle.loads(pickle.dumps(bookmarked)) == bookmarked
    with pytest.raises(AttributeError):
        bookmarked.folder = "new"  # type: ignore[misc]


def test_a_class_and_its_instances_tell_what_was_declared() -> None:
    for found in (declared(TweetBookmarked), declared(TweetBookmarked("20", "jack"))):
        assert (found.type, found.version, found.subject, found.cls) == (
            "tweet-bookmarked",
            2,
            "tweet_id",
            TweetBookmarked,
        )


def test_dataclasses_structs_and_pydantic_models_stay_as_they_are() -> None:
    @dataclasses.dataclass
    class AsDataclass:
        key: int

    class AsStruct(msgspec.Struct):
        key: int

    class AsModel(pydantic.BaseModel):
        key: int

    for cls in (AsDataclass, AsStruct, AsModel):
        made: Any = event("thing-said", subject="key")(cls)
        assert made is cls
        assert declared(made(key=5)).cls is cls
        assert value_class(cls) is cls


def test_a_method_that_calls_super_finds_the_class_that_was_made() -> None:
    @event("thing-said")
    class Said:
        text: str

        def same(self, other: object) -> bool:
            return super().__eq__(other) is True and isinstance(other, __class__)  # type: ignore[name-defined]

    assert Said("a").same(Said("a"))
    assert not Said("a").same(Said("b"))


def test_a_subclass_of_an_event_is_no_event_until_it_is_declared_itself() -> None:
    class Later(TweetBookmarked):
        note: str = ""

    with pytest.raises(DeclarationError, match=r"Later is not declared as an event: write @event\("):
        declared(Later)
    made = event("tweet-noted")(Later)
    assert declared(made).type == "tweet-noted"
    assert declared(TweetBookmarked).type == "tweet-bookmarked"


def test_an_event_may_have_no_members() -> None:
    @event("day-ended")
    class DayEnded:
        pass

    assert DayEnded() == DayEnded()


@pytest.mark.parametrize(
    "name", ["", "Tweet", "tweet_bookmarked", "tweet bookmarked", "-tweet", "tweet-", "a--b", "ü", "a" * 256, "may", 5]
)
def test_a_type_that_is_no_wire_name_is_refused(name: Any) -> None:
    with pytest.raises(DeclarationError, match="is no event type"):
        event(name)


@pytest.mark.parametrize("name", ["a", "tweet-bookmarked", "com.github.push", "v8-turned-2", "a" * 255])
def test_a_type_is_lower_case_words_joined_by_hyphens_and_dots(name: str) -> None:
    @event(name)
    class Said:
        pass

    assert declared(Said).type == name


@pytest.mark.parametrize("version", [0, -1, 2**31, 1.0, "1", True])
def test_a_version_is_a_whole_number_from_1(version: Any) -> None:
    with pytest.raises(DeclarationError, match="version must be a whole number from 1"):
        event("tweet-bookmarked", version=version)


def test_the_decorator_without_a_type_says_what_to_write() -> None:
    with pytest.raises(DeclarationError, match=r'write @event\("tweet-bookmarked", version=1, subject="tweet_id"\)'):

        @event  # type: ignore[arg-type]
        class Said:
            pass


def test_the_decorator_called_with_nothing_says_what_to_write() -> None:
    with pytest.raises(DeclarationError, match=r'as in @event\("tweet-bookmarked", version=1, subject="tweet_id"\)'):
        event()


def test_a_class_is_wanted_where_events_are_declared_and_an_event_where_they_are_said() -> None:
    assert declared_class(TweetBookmarked) is declared_instance(TweetBookmarked("20", "jack"))
    with pytest.raises(DeclarationError, match="is no class: give the event's class itself"):
        declared_class(TweetBookmarked("20", "jack"))
    with pytest.raises(DeclarationError, match=r"TweetBookmarked is a class: .* written TweetBookmarked\(…\)"):
        declared_instance(TweetBookmarked)


def test_the_subject_must_be_a_member() -> None:
    with pytest.raises(DeclarationError, match="has no member 'tweet' to name the subject; it has tweet_id, user_id"):

        @event("tweet-bookmarked", subject="tweet")
        class Bookmarked:
            tweet_id: str
            user_id: str


def test_the_subject_may_be_a_string_or_a_whole_number_under_any_alias() -> None:
    class Said(msgspec.Struct):
        a: str
        b: int
        c: Annotated[str, msgspec.Meta(max_length=5)]
        d: Name

    for member in "abcd":
        event("thing-said", subject=member)(Said)


def test_the_subject_may_be_nothing_else() -> None:
    class Said(msgspec.Struct):
        a: bool
        b: float
        c: str | None
        d: list[str]

    for member in "abcd":
        with pytest.raises(
            DeclarationError, match=f"names the subject, so it must be a str or an int: write `{member}: s"
        ):
            event("thing-said", subject=member)(Said)


def test_what_cannot_be_a_value_is_refused_with_the_reason() -> None:
    with pytest.raises(DeclarationError, match=r"'second' has no default and stands behind a member that has one: gi"):

        @event("thing-said")
        class Later:
            first: str = ""
            second: str

    with pytest.raises(DeclarationError, match=r"Made\.tags: use msgspec\.field"):

        @event("thing-said")
        class Made:
            tags: list[str] = dataclasses.field(default_factory=list)

    with pytest.raises(DeclarationError, match=r"`tags: … = msgspec\.field\(default_factory=lambda: \['a'\]\)`"):

        @event("thing-said")
        class Tagged:
            tags: list[str] = ["a"]  # noqa: RUF012 - what is refused

    with pytest.raises(DeclarationError, match=r"defines __init__, which is made for it: .* a frozen dataclass"):

        @event("thing-said")
        class Initialised:
            text: str

            def __init__(self, text: str) -> None:
                self.text = text

    class Plain:
        pass

    with pytest.raises(DeclarationError, match=r"inherits from .*Plain"):

        @event("thing-said")
        class Child(Plain):
            text: str

    with pytest.raises(DeclarationError, match="is not a class"):
        event("thing-said")(lambda: None)  # type: ignore[arg-type]


def test_members_and_their_types_can_be_asked_for() -> None:
    assert hints_of(TweetBookmarked) == {"tweet_id": str, "user_id": str, "folder": str}
