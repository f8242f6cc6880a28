"""AsyncAPI documents, judged by the AsyncAPI Initiative's own JSON Schema."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

SCHEMA = Path(__file__).parent / "3.0.0.json.gz"


@cache
def _validator() -> jsonschema_rs.Draft7Validator:
    def fetch(uri: str) -> Any:
        raise AssertionError(f"the schema refers to {uri}, which is not in it")

    return jsonschema_rs.Draft7Validator(json.loads(gzip.decompress(SCHEMA.read_bytes())), retriever=fetch)


def faults(document: Any) -> list[str]:
    """Return what is wrong with an AsyncAPI 3.0 document: what its schema says, and references that lead nowhere."""
    found = [
        f"{'/'.join(map(str, each.instance_path))}: {each.message[:300]}" for each in _validator().iter_errors(document)
    ]
    lost = [target for target in references(document) if resolved(document, target) is None]
    return [*found, *(f"{target} leads nowhere" for target in lost)]


def references(node: Any) -> Iterator[str]:
    """Yield the target of each reference."""
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def resolved(document: Any, target: str) -> Any:
    """Return what a reference within the document leads to; None if it leads nowhere, or out of it."""
    if not target.startswith("#/"):
        return None
    found = document
    for step in target.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
