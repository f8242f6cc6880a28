"""Who emits and accepts which versions, in sentences."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.faces.test_exports import KNOWN, NOW, lease, row
from tidings.faces.flow import flow_of, next_version, sentences
from tidings.versions.census import Pinned


def test_sentences_say_what_is_written_what_waits_and_what_is_not_accepted() -> None:
    known = replace(
        KNOWN,
        versions=(row("paid", 1, gate="open"), row("paid", 2, gate="open"), row("paid", 3)),
        leases=(
            lease("shop", "emit", "paid", 2, 3),
            lease("", "emit", "paid", 1),
            replace(lease("post", "accept", "paid", 1, 2, 3), admission="admitted"),
            replace(lease("post", "accept", "paid", 1, 2), instance="post:2"),
            lease("gone", "accept", "paid", 1, expires=NOW),
        ),
        endpoints=(
            Pinned(endpoint="crm", pins={"paid": 1}),
            Pinned(endpoint="erp", pins={"paid": 1}, types=frozenset()),
        ),
    )
    assert sentences(flow_of(known, ["paid"])) == [
        "shop writes paid 2, and has 3, not open yet.",
        "post accepts paid 1, 2, not 3; 1 of its instances wait for admission.",
        "The endpoint crm is told of paid in version 1.",
    ]
    assert next_version(known, "paid") == 3


def test_what_no_service_emits_comes_from_outside() -> None:
    known = replace(KNOWN, leases=(lease("", "emit", "paid", 1), lease("", "emit", "sent", 1)))
    assert sentences(flow_of(known, ["paid", "sent"])) == [
        "Whoever is outside can write no version of paid that is open, and has 1, not open yet.",
        "Whoever is outside can write no version of sent that is open, and has 1, not open yet.",
    ]


def test_a_retired_version_does_not_come_next() -> None:
    assert next_version(KNOWN, "sent") is None
    assert next_version(KNOWN, "paid") is None
