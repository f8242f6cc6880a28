"""What changed from one schema to another, in words. It explains a verdict and never overrules one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidings.events.codec import encode_json, pointer
from tidings.versions.engine import Schema
from tidings.versions.schemas import resolved

DEPTH_MAX = 12
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAID = {
    "pattern": "pattern",
    "format": "format",
    "contentEncoding": "encoding",
    "contentMediaType": "media",
    "x-tidings-type": "form",
    "multipleOf": "multiple",
}
_ADVICE = {
    "required-added": "give it a default, or let it be left out",
    "became-required": "give it a default, or let it be left out",
    "required-removed": "keep it, or write a downcaster that fills it",
    "became-optional": "keep it required, or write a downcaster that fills it",
    "null-removed": "keep allowing null",
    "null-added": "leave null out, or write a downcaster",
    "enum-shrunk": "keep the value",
    "enum-grown": "name the member in open_enums, if its readers have a fallback",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `at`: the JSON pointer of the member in the data; `code`: a kebab-case word; `text`: a phrase."""

    at: str
    code: str
    text: str

    @property
    def advice(self) -> str:
        """The smallest change that would let the versions read each other."""
        return _ADVICE.get(self.code, "leave it as it was, or write the step between the versions")

    def __str__(self) -> str:
        return f"{self.at or 'the data'} {self.text}"


def changes(old: Schema, new: Schema) -> tuple[Change, ...]:
    """Return what changed, from the outside to the inside."""
    return tuple(_Compared(old, new).of(old, new, (), DEPTH_MAX))


class _Compared:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new

    def of(self, old: Any, new: Any, path: tuple[str, ...], depth: int) -> Iterator[Change]:
        old, new = resolved(old, self._old), resolved(new, self._new)
        if old == new or not depth:
            return
        at = pointer(*path)
        (old, could), (new, can) = _without_null(old, self._old), _without_null(new, self._new)
        if could != can:
            yield Change(at, *(("null-added", "may be null now") if can else ("null-removed", "may not be null now")))
        yield from _of_types(at, old, new)
        yield from _of_values(at, old, new)
        yield from _of_bounds(at, old, new)
        yield from self._members(old, new, path, depth)
        if isinstance(old.get("items"), Mapping) and isinstance(new.get("items"), Mapping):
            yield from self.of(old["items"], new["items"], (*path, "0"), depth - 1)

    def _members(
        self, old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...], depth: int
    ) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted({*before, *after}):
            at, here = pointer(*path, name), (*path, name)
            if name not in before:
                yield _added(at, after[name], is_needed=name in needs)
            elif name not in after:
                code = "required-removed" if name in needed else "optional-removed"
                yield Change(at, code, "was removed")
            else:
                if (name in needed) != (name in needs):
                    yield _need(at, after[name], is_needed=name in needs)
                yield from self.of(before[name], after[name], here, depth - 1)
        closed = [node.get("additionalProperties") is False for node in (old, new)]
        if closed[0] != closed[1]:
            kind = ("object-closed", "is closed now") if closed[1] else ("object-opened", "is open now")
            yield Change(pointer(*path), *kind)


def _added(at: str, node: Mapping[str, Any], *, is_needed: bool) -> Change:
    if "default" in node:
        return Change(at, "default-added", "was added, with a default")
    if is_needed:
        return Change(at, "required-added", "was added and is required")
    return Change(at, "optional-added", "was added and may be left out")


def _need(at: str, node: Mapping[str, Any], *, is_needed: bool) -> Change:
    if is_needed:
        return Change(at, "became-required", "is required now")
    told = "has a default now" if "default" in node else "may be left out now"
    return Change(at, "became-optional", told)


def _of_types(at: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = old.get("type"), new.get("type")
    if before != after and before is not None and after is not None:
        if (before, after) == ("integer", "number"):
            yield Change(at, "type-widened", "was a whole number and may be any number now")
        elif (before, after) == ("number", "integer"):
            yield Change(at, "type-narrowed", "was any number and must be a whole one now")
        else:
            yield Change(at, "type-changed", f"was {before} and is {after} now")
    for name in ("anyOf", "oneOf"):
        counts = len(old.get(name, ())), len(new.get(name, ()))
        if counts[0] < counts[1]:
            yield Change(at, "branch-added", "has an alternative more now")
        elif counts[0] > counts[1]:
            yield Change(at, "branch-removed", "has an alternative less now")
    for name, word in _SAID.items():
        if old.get(name) != new.get(name):
            yield Change(at, f"{word}-changed", f"had the {word} {old.get(name)!r} and has {new.get(name)!r} now")


def _of_values(at: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    if old.get("const") != new.get("const"):
        yield Change(at, "const-changed", f"was always {old.get('const')!r} and is always {new.get('const')!r} now")
    before, after = old.get("enum"), new.get("enum")
    if before is None and after is not None:
        yield Change(at, "enum-added", f"must be one of {_listed(after)} now")
    elif before is not None and after is None:
        yield Change(at, "enum-removed", "may be any value now")
    elif before is not None and after is not None:
        gone, come = [each for each in before if each not in after], [each for each in after if each not in before]
        if gone:
            yield Change(at, "enum-shrunk", f"may not be {_listed(gone)} now")
        if come:
            yield Change(at, "enum-grown", f"may be {_listed(come)} now")
    if old.get("default") != new.get("default") and "default" in old and "default" in new:
        told = f"had the default {_listed([old['default']])} and has {_listed([new['default']])} now"
        yield Change(at, "default-changed", told)


def _of_bounds(at: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for names, sign in ((_LOWER, 1), (_UPPER, -1)):
        for name in names:
            before, after = old.get(name), new.get(name)
            if before == after:
                continue
            is_tighter = before is None or (after is not None and sign * after > sign * before)
            code = "bound-tightened" if is_tighter else "bound-loosened"
            yield Change(at, code, f"had the {name} {before} and has {after} now")
    if bool(old.get("uniqueItems")) != bool(new.get("uniqueItems")):
        is_unique = bool(new.get("uniqueItems"))
        yield Change(at, "unique-added" if is_unique else "unique-removed", "changed whether its items must differ")


def _without_null(node: Mapping[str, Any], root: Schema) -> tuple[Mapping[str, Any], bool]:
    branches = node.get("anyOf")
    if isinstance(branches, list):
        left = [each for each in branches if resolved(each, root) != {"type": "null"}]
        if len(left) < len(branches):
            rest = {name: value for name, value in node.items() if name != "anyOf"}
            return ({**resolved(left[0], root), **rest} if len(left) == 1 else {**rest, "anyOf": left}), True
    kind = node.get("type")
    if isinstance(kind, list) and "null" in kind:
        kinds = [each for each in kind if each != "null"]
        return {**node, "type": kinds[0] if len(kinds) == 1 else kinds}, True
    return node, kind == "null"


def _listed(values: list[Any]) -> str:
    return ", ".join(encode_json(value).decode()[:60] for value in values[:5])
