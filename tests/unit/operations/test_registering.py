"""May a version be registered? Asked of code beside its lock file and examples, and of what lives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.versions.test_predicates import NOW, lease, told
from tidings import event, upcaster
from tidings.operations.registering import living, may_register
from tidings.operations.versions import Workshop
from tidings.store.versions import EventVersion, VersionLease, Waiting
from tidings.versions.answer import AsOf
from tidings.versions.canonical import sha256_of
from tidings.versions.census import Census, Pinned
from tidings.versions.said import Said
from tidings.versions.schemas import schema_of

TYPE = "moved"


@event(TYPE, version=1)
class MovedOne:
    user: str


@event(TYPE, version=2)
class MovedTwo:
    user: str
    room: str = "hall"


@event(TYPE, version=3)
class MovedThree:
    owner: str


@event(TYPE, version=3)
class MovedThreeWithStep:
    owner: str
    room: str = "hall"


@upcaster(MovedThreeWithStep, from_version=2)
def owner_from_user(data: dict[str, Any]) -> dict[str, Any]:
    return {"owner": data["user"], "room": data.get("room", "hall")}


def row(cls: type, version: int, **more: Any) -> EventVersion:
    schema = schema_of(cls)
    text = json.dumps(schema).encode()
    return EventVersion(type=TYPE, version=version, sha256=sha256_of(schema), schema=text, **more)


def census(*versions: EventVersion, stored: dict[int, int] | None = None, leases: Any = (), **more: Any) -> Census:
    return Census(
        as_of=AsOf(time=NOW, position=9),
        versions=versions,
        leases=leases,
        stored={(TYPE, version): count for version, count in (stored or {}).items()},
        segments={},
        transit={},
        **more,
    )


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "events.lock.json"


ONE = row(MovedOne, 1, gate="open")
TWO = row(MovedTwo, 2, gate="open")


def example(lock: Path, version: int, **data: str) -> None:
    folder = lock.parent / "tests" / "versions" / TYPE / str(version)
    folder.mkdir(parents=True)
    seen = {"3": {"owner": data["user"], "room": "hall"}}
    (folder / "first.json").write_text(json.dumps({"data": data, "as": seen}), "utf-8")


def test_the_first_and_the_next_version_may_be_and_so_may_one_that_is_already(lock: Path) -> None:
    code = Workshop([MovedOne, MovedTwo], (), lock)
    assert told(may_register(census(), code, TYPE, 1)) == ("ok", [])
    assert told(may_register(census(ONE, stored={1: 5}), code, TYPE, 2)) == ("ok", [])
    assert told(may_register(census(ONE, TWO), code, TYPE, 2)) == ("ok", [])


def test_a_number_is_left_out_of_no_sequence_and_never_used_again(lock: Path) -> None:
    code = Workshop([MovedOne, MovedTwo, MovedThree], (), lock)
    assert told(may_register(census(ONE), code, TYPE, 3)) == ("no", ["missing-step"])
    assert told(may_register(census(TWO), code, TYPE, 1)) == ("no", ["number-burnt"])
    gone = row(MovedTwo, 2, life="retired")
    assert told(may_register(census(ONE, gone), code, TYPE, 2)) == ("no", ["number-burnt"])
    assert told(may_register(census(ONE), code, TYPE, 4)) == ("no", ["missing-step"])


def test_a_version_that_reads_nothing_of_what_lives_is_refused_with_what_to_write(lock: Path) -> None:
    code = Workshop([MovedThree], (), lock)
    known = census(ONE, TWO, stored={1: 5, 2: 1})
    found = may_register(known, code, TYPE, 3)
    assert told(found)[0] == "no"
    assert {each.code for each in found} == {"missing-step", "incompatible"}
    assert any("upcaster" in each.text for each in found)


def test_a_step_bridges_once_an_example_of_it_proves_that_it_does(lock: Path) -> None:
    known = census(ONE, TWO, stored={1: 5, 2: 1})
    code = Workshop([MovedThreeWithStep], (), lock)
    assert {each.code for each in may_register(known, code, TYPE, 3)} == {"fixture-failed"}
    example(lock, 1, user="jo")
    example(lock, 2, user="jo", room="hall")
    assert told(may_register(known, code, TYPE, 3)) == ("ok", [])


def test_what_is_dead_stands_in_nobodys_way(lock: Path) -> None:
    """Version 2 is retired and nowhere any more; only version 1, closed and empty, was before it."""
    code = Workshop([MovedThreeWithStep], (), lock)
    known = census(row(MovedOne, 1), row(MovedTwo, 2, gate="open"), stored={2: 1})
    example(lock, 2, user="jo", room="hall")
    assert told(may_register(known, code, TYPE, 3)) == ("ok", [])


def test_a_published_version_is_registered_with_no_other_schema(lock: Path) -> None:
    code = Workshop([MovedOne], (), lock)
    for other in (row(MovedTwo, 1, published=True), row(MovedTwo, 1)):
        assert told(may_register(census(other, stored={1: 1}), code, TYPE, 1)) == ("no", ["incompatible"])
    assert told(may_register(census(row(MovedTwo, 1)), code, TYPE, 1)) == ("ok", [])


def test_what_lives_is_produced_stored_pinned_under_way_or_read_with_a_class() -> None:
    reads: VersionLease = lease("a", 5, 6, said=Said(natives=(6,)))
    known = census(
        ONE,
        row(MovedTwo, 2),
        stored={3: 1, 4: 0},
        leases=(reads,),
        endpoints=(Pinned(endpoint="partner", pins={TYPE: 7}),),
        waiting=(Waiting(place="dead", of="a", type=TYPE, version=8, entries=1, oldest=0),),
    )
    assert living(known, TYPE) == {1, 3, 6, 7, 8}
