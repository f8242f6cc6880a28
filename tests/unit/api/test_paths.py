from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.api.scopes import scope

from tidings.api.paths import raw_path, root_path, segment, to_path
from tidings.errors import MalformedError


def test_an_encoded_slash_stays_in_its_segment() -> None:
    path = raw_path(scope(target="/events/https%3A%2F%2Fshop.example%2Ftill/o%2F1"))
    assert [segment(part) for part in path.split("/")[1:]] == ["events", "https://shop.example/till", "o/1"]


def test_a_segment_is_decoded_once() -> None:
    assert segment("100%2525") == "100%25"


@pytest.mark.parametrize("raw", ["%C0%A0", "%FF", "%ED%A0%80", "50%", "%zz", "%2", "é", "\ufffd"])
def test_what_is_no_utf_8_or_wrongly_encoded_is_refused(raw: str) -> None:
    with pytest.raises(MalformedError):
        segment(raw)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_every_path_is_read_as_it_was_written(segments: list[str]) -> None:
    assert [segment(part) for part in to_path(*segments).split("/")[1:]] == segments


@pytest.mark.parametrize("root", ["/api", "/a/b", "/api/"])
def test_the_root_path_is_not_part_of_the_path(root: str) -> None:
    mounted = scope(target=root.rstrip("/") + "/events/a%2Fb/1", root_path=root)
    assert raw_path(mounted) == "/events/a%2Fb/1"


def test_a_root_path_with_encoded_letters_is_taken_off_whole() -> None:
    assert raw_path(scope(target="/caf%C3%A9/events", root_path="/café")) == "/events"


@pytest.mark.parametrize("root", ["/eve", "/other", "/events/a"])
def test_a_root_path_that_is_no_part_of_the_path_is_not_taken_off(root: str) -> None:
    assert raw_path(scope(target="/events", root_path=root)) == "/events"


def test_the_root_path_is_percent_encoded_and_ends_without_a_slash() -> None:
    assert [root_path({"root_path": root}) for root in ("", "/", "/a b/", "/a/b")] == ["", "", "/a%20b", "/a/b"]
    assert root_path({}) == ""


def test_a_server_without_raw_paths_still_reaches_the_routes() -> None:
    assert raw_path({"path": "/events/a b/1", "root_path": ""}) == "/events/a%20b/1"
