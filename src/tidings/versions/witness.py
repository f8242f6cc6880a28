"""Values at the edges of two schemas: mostly there is one among them that one takes and the other does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from tidings.versions.engine import Schema, is_valid

WITNESSES_MAX = 2_000
DEPTH_MAX = 6
_STRANGE = "~strange"
_SAMPLES: tuple[Any, ...] = (None, True, False, 0, 1, -1, 0.5, "", "a", "A1", [], {})
_OF_FORMAT = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "email": "a@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
    "duration": "P1D",
}
_OF_TYPE = {"bytes": "YQ==", "decimal": "1", "time": "03:04:05", "local-date-time": "2026-01-02T03:04:05"}
"""What `x-tidings-type` says, of which any text is one to a schema alone."""


def witnesses(reader: Schema, writer: Schema) -> Iterator[Any]:
    """Yield values, mostly valid for the writer, at the bounds that either of the schemas names."""
    return islice(_Values(reader, writer).of(writer, reader, DEPTH_MAX), WITNESSES_MAX)


class _Values:
    def __init__(self, reader: Schema, writer: Schema) -> None:
        self._roots = (writer, reader)

    def of(self, writer: Any, reader: Any, depth: int) -> Iterator[Any]:
        """Yield values for what stands at one place of both schemas."""
        nodes = [*self._choices(writer, 0), *self._choices(reader, 1)]
        for node in nodes:
            yield from _named(node)
        objects, arrays = (
            [n for n in nodes if "properties" in n],
            [n for n in nodes if n.keys() & {"items", "prefixItems"}],
        )
        if objects and depth:
            yield from self._objects(objects, depth)
        if arrays and depth:
            yield from self._arrays(arrays, depth)
        yield from _SAMPLES
        yield from _edges(nodes)

    def _choices(self, node: Any, root: int, hops: int = 8) -> list[Mapping[str, Any]]:
        """Return the node and the alternatives within it, references followed."""
        if not isinstance(node, Mapping) or not hops:
            return []
        found = [node]
        target = node.get("$ref")
        if isinstance(target, str):
            defined = self._roots[root].get("$defs", {}).get(target.removeprefix("#/$defs/"))
            found += self._choices(defined, root, hops - 1)
        for name in ("anyOf", "oneOf", "allOf"):
            for inner in node.get(name, ()):
                found += self._choices(inner, root, hops - 1)
        return found

    def _objects(self, nodes: Sequence[Mapping[str, Any]], depth: int) -> Iterator[Any]:
        members: dict[str, list[Any]] = {}
        for node in nodes:
            for name, inner in node["properties"].items():
                members.setdefault(name, []).append(inner)
        whole = {name: self._first(inner, depth - 1) for name, inner in members.items()}
        yield whole
        for node in nodes:
            needed = [name for name in node.get("required", ()) if name in whole]
            least = {name: whole[name] for name in needed}
            yield least
            yield {**least, _STRANGE: 1}
            yield {name: whole[name] for name in node["properties"]}
            for name in members:
                yield {key: value for key, value in whole.items() if key != name}
                for value in islice(self.of(members[name][0], members[name][-1], depth - 1), 60):
                    yield {**least, name: value}

    def _arrays(self, nodes: Sequence[Mapping[str, Any]], depth: int) -> Iterator[Any]:
        items = [node.get("items", True) for node in nodes]
        values = list(islice(self.of(items[0], items[-1], depth - 1), 40))
        yield from ([value] for value in values)
        lengths = {edge for node in nodes for name in ("minItems", "maxItems") for edge in _around(node.get(name))}
        valid = [value for value in values if all(is_valid(_with(self._roots[0], item), value) for item in items[:1])]
        for length in sorted(lengths):
            if 0 <= length <= 200 and valid:
                yield [valid[n % len(valid)] for n in range(length)]
                yield [valid[0]] * length

    def _first(self, nodes: Sequence[Any], depth: int) -> Any:
        """Return a value that is valid for the first of these, if there is one at hand."""
        node = nodes[0]
        for value in islice(self.of(node, nodes[-1], depth), 120):
            if is_valid(_with(self._roots[0], node), value):
                return value
        return None


def _with(root: Schema, node: Any) -> Schema:
    return (
        {**node, "$defs": root.get("$defs", {})} if isinstance(node, Mapping) else ({} if node is True else {"not": {}})
    )


def _named(node: Mapping[str, Any]) -> Iterator[Any]:
    if "const" in node:
        yield node["const"]
    yield from node.get("enum", ())
    if "default" in node:
        yield node["default"]
    if node.get("format") in _OF_FORMAT:
        yield _OF_FORMAT[node["format"]]
    if node.get("x-tidings-type") in _OF_TYPE:
        yield _OF_TYPE[node["x-tidings-type"]]


def _edges(nodes: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    for node in nodes:
        for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
            for edge in _around(node.get(name)):
                yield edge
                yield edge + 0.5
        for name in ("minLength", "maxLength"):
            yield from ("a" * length for length in _around(node.get(name)) if 0 <= length <= 10_000)
        if isinstance(node.get("pattern"), str):
            yield from _texts(node["pattern"])


def _around(edge: Any) -> tuple[Any, ...]:
    return (edge - 1, edge, edge + 1) if isinstance(edge, int | float) and not isinstance(edge, bool) else ()


def _texts(pattern: str) -> Iterator[str]:
    """Yield texts that simple patterns match."""
    plain = pattern.strip("^$")
    yield plain
    for sample in ("a", "ab", "abc", "A", "AB", "0", "01", "a1", "1a", "-"):
        yield sample
        yield sample * 3
