"""A pattern as people write it, compiled: an object of leaves, each a list of alternatives, and `$or` of objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidings.errors import MalformedError, PatternError
from tidings.events.patterns.alternatives import NAMES, Alternative, alternative_of
from tidings.events.patterns.pattern import Clause, Field, Pattern
from tidings.events.patterns.walk import Path
from tidings.events.strict import decode_json

CHARACTERS_MAX = 4_096
STARS_MAX = 32
ALTERNATIVES_MAX = 1_000

_as_numbers = msgspec.json.Encoder(decimal_format="number").encode
_Pointer = tuple[str, ...]


def compile_pattern(pattern: Mapping[str, Any] | str | bytes) -> Pattern:
    """Compile a pattern, given as an object or as its JSON.

    A field of the event is named by its path: nested objects, or names joined by dots. Its alternatives are strings,
    numbers, booleans, `null`, or an object with one of `prefix`, `suffix`, `equals-ignore-case`, `wildcard`,
    `anything-but`, `numeric`, `cidr`, `exists`, `contains-all`. PatternError, whose `code` says what is wrong.
    """
    text = pattern if isinstance(pattern, str | bytes) else _written(pattern)
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if len(text) > CHARACTERS_MAX:
        raise PatternError("", "too-complex", f"it has {len(text):,} characters; {CHARACTERS_MAX:,} are the most")
    value = _read(text)
    if not isinstance(value, dict):
        raise PatternError("", "not-json", 'it is no object: write {"type": ["order-placed"]}')
    found = _Compiling()
    clauses = found.object(value, (), ())
    if found.stars > STARS_MAX:
        raise PatternError("", "too-complex", f"it has {found.stars} stars in wildcards; {STARS_MAX} are the most")
    return Pattern(_as_numbers(value).decode(), clauses)


def _written(pattern: Mapping[str, Any]) -> str:
    try:
        return msgspec.json.encode(pattern).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise PatternError("", "not-json", f"it cannot be written as JSON: {error}") from None


def _read(text: str) -> Any:
    data = text.encode("utf-8", "surrogatepass")
    try:
        return decode_json(data, is_exact=True)
    except MalformedError as error:
        code = "duplicate-key" if "stands twice" in str(error) else "not-json"
        raise PatternError("", code, error.errors[0][1]) from None


class _Compiling:
    """Walks a pattern; counts what is limited."""

    def __init__(self) -> None:
        self.stars = 0

    def object(self, members: Mapping[str, Any], path: Path, at: _Pointer) -> Sequence[Clause]:
        """Return the clauses of which one must hold."""
        if not members:
            raise _refused(
                at, "empty-object", "an object without a field matches nothing: name a field, or leave it out"
            )
        clauses: Sequence[Clause] = ((),)
        for name, value in members.items():
            here = (*at, name)
            one_of = self._either(value, path, here) if _is_or(name, value) else self._field(name, value, path, here)
            if len(clauses) * len(one_of) > ALTERNATIVES_MAX:
                raise _refused(here, "too-complex", f"`$or` makes more than {ALTERNATIVES_MAX:,} combinations")
            clauses = [(*clause, *other) for clause in clauses for other in one_of]
        return clauses

    def _either(self, objects: Sequence[Mapping[str, Any]], path: Path, at: _Pointer) -> Sequence[Clause]:
        return [clause for n, members in enumerate(objects) for clause in self.object(members, path, (*at, str(n)))]

    def _field(self, name: str, value: Any, path: Path, at: _Pointer) -> Sequence[Clause]:
        below = (*path, *name.split("."))
        if isinstance(value, dict):
            return self.object(value, below, at)
        if not isinstance(value, list):
            raise _refused(at, "leaf-not-array", f"write a list of alternatives: [{_shown(value)}]")
        if not value:
            raise _refused(at, "empty-array", "a list without an alternative matches nothing")
        return ((self._leaf(value, below, at),),)

    def _leaf(self, alternatives: Sequence[Any], path: Path, at: _Pointer) -> Field:
        found: list[Alternative] = []
        for n, each in enumerate(alternatives):
            try:
                found.append(alternative_of(each))
            except PatternError as error:
                raise _refused((*at, str(n)), error.code, error.why, error.at) from None
        self.stars += sum(each.stars for each in found)
        return Field(
            path=path,
            values=frozenset(value for each in found for value in each.values),
            matchers=tuple(each.matcher for each in found if each.matcher is not None),
            is_absent=any(each.is_absent for each in found),
            together=tuple(each.together for each in found if each.together),
        )


def _is_or(name: str, value: Any) -> bool:
    """Say whether it is the operator; else `$or` is a field's name like any other."""
    if name != "$or" or not isinstance(value, list) or len(value) < 2:
        return False
    return all(isinstance(each, dict) and each and not (each.keys() & NAMES) for each in value)


def _refused(at: _Pointer, code: str, why: str, below: str = "") -> PatternError:
    pointer = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in at)
    return PatternError(pointer + below, code, why)


def _shown(value: Any) -> str:
    return re.sub(r"^(.{60}).+$", r"\1…", msgspec.json.encode(value).decode())
