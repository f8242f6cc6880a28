from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.events.uri import is_absolute_uri, is_uri_reference

ABSOLUTE = [
    "https://example.com/a/b?c=d#e",
    "http://user:pw@host:8080/",
    "http://[2001:db8::1]:80/x",
    "http://[v7.a:b]/",
    "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
    "mailto:jack@example.com",
    "app:///a/b",
    "tel:+1-816-555-1212",
    "a:",
    "a://",
    "HTTP://x/%C3%A9",
]
RELATIVE = [
    "web",
    "/cloudevents/spec/pull/123",
    "1-555-123-4567",
    "",
    "//host/path",
    "?q",
    "#f",
    "./a:b",
    "a/b:c",
    "a@b",
]
NEITHER = [
    "a b",
    "http://a b/",
    "é",
    "%",
    "%zz",
    "%C",
    "http://[::1",
    "http://[1::2::3]/",
    "http://[zz]/",
    ":a",
    "1:a",
    "a\n",
    'a"b',
    "a<b>",
    "a\\b",
    "a{b}",
    "a^b",
    "a|b",
    "a`b",
    "http://host:port/",
    "a#b#c",
    "[a]",
]


@pytest.mark.parametrize("text", ABSOLUTE)
def test_a_text_with_a_scheme_is_a_uri(text: str) -> None:
    assert is_absolute_uri(text)
    assert is_uri_reference(text)


@pytest.mark.parametrize("text", RELATIVE)
def test_a_text_without_a_scheme_can_only_be_a_reference(text: str) -> None:
    assert is_uri_reference(text)
    assert not is_absolute_uri(text)


@pytest.mark.parametrize("text", NEITHER)
def test_what_the_grammar_does_not_have_is_neither(text: str) -> None:
    assert not is_uri_reference(text)
    assert not is_absolute_uri(text)


@given(st.text(alphabet="aA0%:/?#[]@!$&'()*+,;=-._~ \\\"", max_size=30))
def test_a_uri_is_also_a_reference(text: str) -> None:
    assert is_uri_reference(text) or not is_absolute_uri(text)
