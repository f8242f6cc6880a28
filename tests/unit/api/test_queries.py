from __future__ import annotations

import pytest
from tests.unit.api.scopes import scope

from tidings.api.queries import limit, one, read_query
from tidings.errors import MalformedError


def test_parameters_are_decoded_and_kept_in_order() -> None:
    query = read_query(
        scope(target="/?type=a%20b&type=c+d&source=%E2%82%AC&subject="), known={"type", "source", "subject"}
    )
    assert query == {"type": ["a b", "c d"], "source": ["€"], "subject": [""]}


def test_an_unknown_parameter_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(MalformedError, match=r"'subjct' is not known here; there is source, subject"):
        read_query(scope(target="/?subjct=1"), known={"subject", "source"})


def test_a_parameter_given_twice_is_refused_where_one_is_meant() -> None:
    with pytest.raises(MalformedError):
        one(read_query(scope(target="/?after=1&after=2"), known={"after"}), "after")


@pytest.mark.parametrize("text", ["0", "1001", "-1", "1.5", "ten", "", "٣"])
def test_a_limit_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        limit({"limit": [text]})


def test_the_limit_has_a_default_and_both_ends() -> None:
    assert [limit({}), limit({"limit": ["1"]}), limit({"limit": ["1000"]})] == [100, 1, 1000]


def test_a_query_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(MalformedError):
        read_query(scope(target="/?type=%ff"), known={"type"})


@pytest.mark.parametrize("text", ["%", "%4", "a%zz", "%%41", "100%25%"])
def test_a_query_that_is_wrongly_encoded_is_refused(text: str) -> None:
    for target in (f"/?type={text}", f"/?{text}=type"):
        with pytest.raises(MalformedError, match="two hexadecimal digits"):
            read_query(scope(target=target), known={"type"})


def test_a_query_of_many_parameters_is_refused() -> None:
    with pytest.raises(MalformedError):
        read_query(scope(target="/?" + "&".join(["type=a"] * 65)), known={"type"})


def test_bytes_that_are_no_text_are_told_as_they_were_sent() -> None:
    with pytest.raises(MalformedError, match=r"^the query part '%ff' is not UTF-8$"):
        read_query(scope(target="/?type=%ff"), known={"type"})
