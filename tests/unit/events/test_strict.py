from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidings.errors import MalformedError
from tidings.events.strict import DEPTH_MAX, DIGITS_MAX, NODES_MAX, decode_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Twice(Exception):
    """A name stands twice, says the oracle."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise Twice
    return dict(pairs)


@given(VALUES, st.sampled_from([None, 0, 3]), st.booleans())
def test_every_json_text_is_read_as_what_it_says(value: Any, indent: int | None, ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)
    try:
        assert decode_json(text.encode()) == json.loads(text)
    except (MalformedError, UnicodeEncodeError):
        assert any(0xD800 <= ord(character) <= 0xDFFF for character in str(json.loads(text)) + text) or "\\ud" in text


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it ends too early"),
        (b'{"a":1', "it ends too early"),
        (b"\xef\xbb\xbf{}", "it starts with a byte order mark"),
        (b'"\xff"', "it is not valid UTF-8"),
        (b'{"\xc0\xa0":1}', "it is not valid UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "it is not valid UTF-8"),
        (b"NaN", "invalid character"),
        (b"[Infinity]", "invalid character"),
        (b"[-Infinity]", "invalid"),
        (b"{'a':1}", "object keys must be strings"),
        (b"[1,]", "trailing comma"),
        (b"1 2", "trailing characters"),
        (b"01", "invalid number"),
        (b"1.", "invalid number"),
        (b'"a\nb"', "invalid character"),
        (b'"\\ud800 is half of a pair"', "half of a surrogate pair"),
        (b'"\\udc00 is the other half"', "half of a surrogate pair"),
        (b'{"a":"\\ud800"}', "half of a surrogate pair"),
        (b'{"\\ud83d\\ude00\\n\\uDbFFx":1', "half of a surrogate pair"),
        (b'"\\\\ud800', "it ends too early"),
        (b'"\\ud83d\\ude00', "it ends too early"),
        (b'"\\ud8', "it ends too early"),
        (b"1e400", "number out of range"),
    ],
)
def test_what_no_reader_should_guess_at_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match="the JSON cannot be read: ") as found:
        decode_json(data)
    assert why in found.value.errors[0][1]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a" : 1, "a" : 2}',
        b'{"a"\n:1,"b":2,"a"\t:3}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":{"a":1,"c":2,"a":3}}]',
        b'{"":1,"":2}',
        b'{"a\\"":1,"a\\"":2}',
        b'{"text":"a\\":b","text":""}',
        b'{"url":"http://x/:8080","url":1}',
    ],
)
def test_a_member_name_twice_in_one_object_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="a member name stands twice in one object"):
        decode_json(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":{"a":{"a":1}}}',
        b'[{"a":1},{"a":2}]',
        b'{"a":"{\\"a\\":1,\\"a\\":2}"}',
        b'{"text":"a\\":b", "b":"\\" :", "c:":":"}',
        b'{"url":"http://x/:8080","at":"2026-01-01T00:00:00Z"}',
        b'"{[{["',
        b'{"a\\\\":1,"b":"\\\\"}',
        b"[]",
        b"{}",
    ],
)
def test_names_of_different_objects_and_colons_in_strings_are_no_repetition(data: bytes) -> None:
    assert decode_json(data) == json.loads(data)


TOKENS = st.sampled_from(
    ['"a"', '"b"', '"a\\""', '"\\":"', '"{"', "1", ":", ",", "{", "}", "[", "]", " ", "\n", "\\", '"']
)


@settings(max_examples=500)
@given(st.lists(TOKENS, max_size=25).map("".join))
@example('{"a" : 1, "a": 2}')
def test_it_agrees_with_a_reader_that_sees_every_pair(text: str) -> None:
    try:
        expected = json.loads(text, object_pairs_hook=once)
    except (ValueError, Twice):
        with pytest.raises(MalformedError):
            decode_json(text.encode())
    else:
        assert decode_json(text.encode()) == expected


PAIRS = st.lists(
    st.tuples(st.sampled_from(["a", "b", 'a"', ":", '\\":']), st.integers() | st.text(max_size=3)), max_size=4
)


@given(st.lists(PAIRS, min_size=1, max_size=3), st.sampled_from([":", " :", "\t: ", "\r\n:"]))
def test_a_repetition_is_found_whatever_stands_around_it(objects: list[list[tuple[str, Any]]], colon: str) -> None:
    texts = ["{" + ",".join(json.dumps(k) + colon + json.dumps(v) for k, v in pairs) + "}" for pairs in objects]
    data = ("[" + ",".join(texts) + "]").encode()
    if any(len(dict(pairs)) < len(pairs) for pairs in objects):
        with pytest.raises(MalformedError, match=r"twice|surrogate|escape"):
            decode_json(data)
    else:
        assert decode_json(data) == json.loads(data)


def test_nesting_is_read_up_to_the_limit_and_not_beyond() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        at_limit = opening * DEPTH_MAX + "1" + closing * DEPTH_MAX
        assert decode_json(at_limit.encode()) == json.loads(at_limit)
        for depth in (DEPTH_MAX + 1, 900, 100_000):
            with pytest.raises(MalformedError, match=r"nested deeper than 64 levels|more than 50,000 values"):
                decode_json((opening * depth + "1" + closing * depth).encode())


def test_brackets_in_strings_are_no_nesting() -> None:
    assert decode_json(b'"' + b"[{" * 60_000 + b'"') == "[{" * 60_000


def test_values_are_counted_outside_of_strings() -> None:
    most = b"[" + b"0," * (NODES_MAX - 2) + b"0]"
    assert len(decode_json(most)) == NODES_MAX - 1
    with pytest.raises(MalformedError, match="it has more than 50,000 values"):
        decode_json(b"[0," + most[1:])
    assert decode_json(b'["' + b",[{" * NODES_MAX + b'"]') == [",[{" * NODES_MAX]


def test_digits_are_counted_outside_of_strings() -> None:
    assert decode_json(b"9" * DIGITS_MAX) == 10**DIGITS_MAX - 1
    for data in (b"9" * (DIGITS_MAX + 1), b"[-" + b"1" * 5_000 + b"]", b"0." + b"3" * 5_000, b"1e" + b"0" * 5_000):
        with pytest.raises(MalformedError, match="a number has more than 1,000 digits"):
            decode_json(data)
    assert decode_json(b'"' + b"7" * 5_000 + b'"') == "7" * 5_000


MIB = 1024 * 1024
BOMBS = {
    "an integer of a million digits": b"9" * MIB,
    "many integers of thousands of digits": b"[" + b",".join([b"9" * 4_300] * 240) + b"]",
    "a million opening brackets": b"[" * MIB,
    "objects in objects": b'{"a":' * (MIB // 5),
    "empty lists": b"[" + b"[]," * (MIB // 3) + b"[]]",
    "empty objects": b"[" + b"{}," * (MIB // 3) + b"{}]",
    "zeros": b"[" + b"0," * (MIB // 2) + b"0]",
    "names": b"{" + b",".join(b'"%d":0' % n for n in range(MIB // 10)) + b"}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_json_bombs_are_cheap(name: str) -> None:
    """What is refused is never built: refusing a mebibyte takes a few, where its values would take up to sixty."""
    data = BOMBS[name]
    tracemalloc.start()
    try:
        with pytest.raises(MalformedError):
            decode_json(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(data)


@given(st.binary() | st.text().map(str.encode) | st.from_regex(rb'[\[\]{}",:0-9eE+.\-\\ \n]*', fullmatch=True))
@example(b"[" * 2_000)
@example(b'{"a":' * 2_000)
def test_no_bytes_raise_anything_but_our_error(data: bytes) -> None:
    try:
        found = decode_json(data)
    except MalformedError:
        return
    assert found == json.loads(data)
