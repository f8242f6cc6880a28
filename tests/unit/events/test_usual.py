from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.events.cloudevents import _of_document, read_structured
from tidings.events.usual import usual_event

USUAL = {"specversion": "1.0", "id": "a:1", "source": "//here", "type": "told", "data": {"a": "x:y", "b": [1]}}

TEXTS = st.sampled_from(['"a"', '"b:c"', '"b:c:d"', '"\\u003a"', '"\\n"', '""', '"1.0"', "null", "1", "true", "1.0"])
DATA = st.sampled_from(
    ['{"a":1}', '{"a":"b:c"}', '{"a":1,"a":2}', '{"a" : 1, "a":2}', '"\\u003a"', "null", "1", '{"a":"\\ud800"}']
)
NAMES = st.sampled_from(
    ["id", "source", "type", "subject", "time", "datacontenttype", "dataversion", "more", "i\\u0064"]
)
MEMBERS = st.lists(st.tuples(NAMES, st.sampled_from([":", " :", ": "]), TEXTS), max_size=5)
WHOLE = '"specversion":"1.0","id":"a","source":"b","type":"c"'


def document(**changed: Any) -> bytes:
    return json.dumps({**USUAL, **changed}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"subject": "s", "time": "2026-02-02T02:40:00Z", "datacontenttype": "application/json", "dataversion": 2},
        {"data": None},
        {"data": "text: with a colon"},
        {"datacontenttype": "application/vnd.told+json; charset=utf-8"},
    ],
)
def test_a_usual_event_is_read_as_any_document_is_read(more: dict[str, Any]) -> None:
    assert usual_event(document(**more)) == _of_document(document(**more))


@given(MEMBERS, DATA, st.sampled_from([WHOLE, ""]))
def test_what_is_read_as_usual_is_never_what_the_general_reader_refuses_or_reads_otherwise(
    members: list[tuple[str, str, str]], data: str, whole: str
) -> None:
    told = [whole, *(f'"{name}"{colon}{text}' for name, colon, text in members), f'"data":{data}']
    written = ("{" + ",".join(part for part in told if part) + "}").encode()
    read = usual_event(written)
    assert read is None or read == _of_document(written)


@pytest.mark.parametrize(
    "twice",
    [
        b'{"id":"a:1","id":"b",',
        b'{"id" : "a","id":"b",',
        b'{"i\\u0064":"a","id":"b",',
        b'{"subject":"\\u003a","id":"b",',
        b'{"data":{"b":1},"id":"b",',
    ],
)
def test_a_member_that_may_stand_twice_is_left_to_the_general_reader(twice: bytes) -> None:
    written = document().replace(b"{", twice, 1)
    assert usual_event(written) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"extension": "x"},
        {"subject": None},
        {"specversion": "0.3"},
        {"dataversion": True},
        {"datacontenttype": "text/plain", "data": "text"},
        {"source": "s" * 1_000},
    ],
)
def test_what_is_not_usual_is_left_to_the_general_reader(changed: dict[str, Any]) -> None:
    assert usual_event(document(**changed)) is None


def test_an_event_without_its_id_is_read_by_the_general_reader() -> None:
    written = document().replace(b'"id":"a:1",', b"")
    assert usual_event(written) is None
    assert read_structured(written, unnamed="?").id == "?"
