"""Random schemas and edits of them: what is called readable is read."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tidings.versions import engine
from tidings.versions.verdict import judge
from tidings.versions.walks import reader_open, writer_closed
from tidings.versions.witness import witnesses

LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "string", "maxLength": 3},
        {"type": "string", "default": "x"},
        {"type": "integer", "minimum": 0},
        {"enum": ["a", "b"]},
        {"const": 1},
        {"type": ["string", "null"]},
        {"type": "string", "format": "date"},
    ]
)


def _object(members: dict[str, Any], needed: list[str], is_closed: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": members, "required": [n for n in needed if n in members]}
    return {**found, "additionalProperties": False} if is_closed else found


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "c"])
    return st.builds(
        _object,
        st.dictionaries(names, inner, max_size=3),
        st.lists(names, max_size=2, unique=True),
        st.booleans(),
    )


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        _objects(inner),
        st.builds(lambda item: {"type": "array", "items": item}, inner),
        st.builds(lambda one, other: {"anyOf": [one, other]}, inner, inner),
        st.builds(lambda one, other: {"allOf": [one, other]}, _objects(inner), _objects(inner)),
        st.builds(lambda one, other: {"oneOf": [one, other]}, inner, inner),
    ),
    max_leaves=5,
)
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, -1, 0.5, "", "a", "b", "abcd", "2026-01-02"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(reader=SCHEMAS, writer=SCHEMAS, drawn=st.lists(VALUES, max_size=10))
def test_what_is_called_readable_is_read(reader: Any, writer: Any, drawn: list[Any]) -> None:
    verdict = judge(reader, writer)
    if verdict.answer == "yes" and reader != writer:
        opened, closed = reader_open(reader).schema, writer_closed(writer).schema
        for value in [*drawn, *witnesses(opened, closed)]:
            if engine.is_valid(closed, value):
                assert engine.is_valid(opened, value), value
    if verdict.has_witness:
        assert not engine.is_valid(reader_open(reader).schema, verdict.witness)


@settings(max_examples=200, deadline=None)
@given(reader=SCHEMAS, writer=SCHEMAS)
def test_what_is_readable_as_written_is_readable_by_the_codec(reader: Any, writer: Any) -> None:
    assume(engine.can_be_met(writer_closed(writer).schema) == "yes")
    if judge(reader, writer, "strict").answer == "yes":
        assert judge(reader, writer, "friendly").answer != "no"


@settings(max_examples=200, deadline=None)
@given(schema=SCHEMAS)
def test_every_schema_reads_itself(schema: Any) -> None:
    assert judge(schema, dict(schema)).answer == "yes"
    assert engine.covers(schema, schema) == "yes"
