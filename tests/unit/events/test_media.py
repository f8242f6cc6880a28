from __future__ import annotations

import pytest

from tidings.events.media import can_be_text, charset_of, is_json, is_media_type


@pytest.mark.parametrize(
    "text", ["application/json", "Application/JSON", "text/plain; charset=utf-8", 'a/b;c=d ; e="f g"', "a/vnd.b+json;"]
)
def test_a_type_and_a_subtype_with_parameters_are_a_media_type(text: str) -> None:
    assert is_media_type(text)


@pytest.mark.parametrize(
    "text", ["", "json", "/json", "a/", "a/b c", "a/b; c", "a/b;c=", "a/b\n", "a/é", "a/b, a/c", 'a/b;c="d']
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_media_type(text)


@pytest.mark.parametrize(
    "text", ["application/json", "text/JSON", "application/problem+json; a=b", "APPLICATION/X+Json ;a"]
)
def test_json_and_everything_that_ends_in_plus_json_is_json(text: str) -> None:
    assert is_json(text)


@pytest.mark.parametrize(
    "text", ["application/jsonp", "json", "text/plain; a=application/json", "application/json-seq", ""]
)
def test_what_only_looks_like_json_is_not(text: str) -> None:
    assert not is_json(text)


def test_the_charset_is_utf_8_unless_the_type_names_another() -> None:
    assert charset_of("text/plain") == "utf-8"
    assert charset_of("text/plain; Charset=ISO-8859-1") == "iso-8859-1"
    assert charset_of('text/plain; charset="UTF-16"') == "utf-16"


def test_a_charset_we_do_not_know_is_never_handed_to_the_interpreter() -> None:
    assert can_be_text("text/plain; charset=windows-1252")
    for name in ("idna", "punycode", "hex", "unicode_escape", "undefined", "x" * 300):
        assert not can_be_text(f"text/plain; charset={name}")
