"""What is registered of events, as files for other programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import yaml

from tests.asyncapi import faults
from tidings.faces.exports import exported
from tidings.store.versions import EventVersion, VersionLease
from tidings.versions.answer import AsOf
from tidings.versions.census import Census

NOW = 1_800_000_000_000_000
BASE = "https://events.example.org"


def row(type: str, version: int, **more: object) -> EventVersion:
    schema = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    return EventVersion(type=type, version=version, sha256="", schema=json.dumps(schema).encode(), **more)  # type: ignore[arg-type]


def lease(service: str, role: str, type: str, *versions: int, expires: int = NOW + 1) -> VersionLease:
    return VersionLease(
        instance=f"{service}:1",
        service=service,
        consumer=service if role == "accept" else "",
        type=type,
        role=role,  # type: ignore[arg-type]
        versions=versions,
        expires_at=expires,
    )


KNOWN = Census(
    as_of=AsOf(time=NOW, position=7),
    versions=(
        row("paid", 1, life="deprecated", deprecated=NOW, sunset=NOW, migration='https://example.org/"2"'),
        row("paid", 2, owner="shop", gate="open"),
        row("sent", 1, life="retired"),
    ),
    leases=(
        lease("shop", "emit", "paid", 1, 2),
        lease("post", "accept", "paid", 1),
        lease("post", "emit", "sent", 1),
        lease("gone", "accept", "paid", 1, expires=NOW),
    ),
    stored={},
    segments={},
    transit={},
)


def files(form: str, known: Census = KNOWN) -> Mapping[str, str]:
    return exported(known, form, base=BASE, release="1.2.3")  # type: ignore[arg-type]


def head(page: str) -> object:
    """Return the frontmatter of a page."""
    found = re.match(r"---\n(.*?)---\n", page, re.DOTALL)
    assert found is not None
    return yaml.safe_load(found[1])


def test_the_newest_version_is_an_event_of_the_catalog_and_older_ones_lie_below_it() -> None:
    assert sorted(files("eventcatalog")) == [
        "events/paid/index.mdx",
        "events/paid/schema.json",
        "events/paid/versioned/1.0.0/index.mdx",
        "events/paid/versioned/1.0.0/schema.json",
        "events/sent/index.mdx",
        "events/sent/schema.json",
        "services/post/index.mdx",
        "services/shop/index.mdx",
    ]


def test_a_version_that_ends_says_so_in_the_catalog() -> None:
    found = files("eventcatalog")
    assert head(found["events/paid/index.mdx"]) == {
        "id": "paid",
        "name": "paid",
        "version": "2.0.0",
        "schemaPath": "schema.json",
    }
    assert head(found["events/paid/versioned/1.0.0/index.mdx"]) == {
        "id": "paid",
        "name": "paid",
        "version": "1.0.0",
        "schemaPath": "schema.json",
        "deprecated": {
            "date": "2027-01-15",
            "message": "Version 2 takes its place. It is taken until 2027-01-15T08:00:00Z. "
            'Read on at https://example.org/"2"',
        },
    }
    assert head(found["events/sent/index.mdx"])["deprecated"] is True  # type: ignore[index]


def test_services_name_each_version_that_they_send_and_receive() -> None:
    found = files("eventcatalog")
    assert head(found["services/shop/index.mdx"]) == {
        "id": "shop",
        "name": "shop",
        "version": "1.0.0",
        "sends": [{"id": "paid", "version": "1.0.0"}, {"id": "paid", "version": "2.0.0"}],
    }
    assert head(found["services/post/index.mdx"]) == {
        "id": "post",
        "name": "post",
        "version": "1.0.0",
        "receives": [{"id": "paid", "version": "1.0.0"}],
        "sends": [{"id": "sent", "version": "1.0.0"}],
    }


def test_schemas_are_written_with_the_uri_that_they_are_served_under() -> None:
    found = files("jsonschema")
    assert sorted(found) == ["paid/1.json", "paid/2.json", "sent/1.json"]
    assert json.loads(found["paid/2.json"])["$id"] == f"{BASE}/schemas/paid/2"


def test_the_asyncapi_document_of_nothing_is_one() -> None:
    nothing = Census(as_of=AsOf(time=NOW, position=0), stored={}, segments={}, transit={})
    for known in (nothing, KNOWN):
        assert faults(json.loads(files("asyncapi", known)["asyncapi.json"])) == []
