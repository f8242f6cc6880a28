"""When a version ends, and what is said of it before and after: over a census written down by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from typer import Exit

from tests.unit.versions.test_predicates import DOWN, NOW, TYPE, census, lease, replace_said, row, told
from tidings.cli.plans import _told
from tidings.cli.times import day_or_time_of
from tidings.errors import CallerError
from tidings.events.envelope import Entry, Envelope
from tidings.operations.gates import Gatekeeping
from tidings.store.versions import EventVersion, VersionLease
from tidings.versions.answer import Answer, AsOf, Reason
from tidings.versions.ending import endings_of
from tidings.versions.marks import Marks
from tidings.versions.predicates import may_retire
from tidings.versions.said import Said
from tidings.versions.sunset import DAY_US, may_end, nearing, writers

SECOND = 1_000_000
FROM = 1_796_083_200 * SECOND
UNTIL = 1_803_859_200 * SECOND
PAGE = "https://example.org/moved?to=2 3"


def deprecated(version: int = 1, **more: Any) -> EventVersion:
    return row(version, **{"gate": "open", "life": "deprecated", "deprecated": FROM, "sunset": UNTIL, **more})


def emits(service: str, *versions: int, said: Said = DOWN) -> VersionLease:
    return lease(service, *versions, role="emit", said=said)


def test_what_is_said_of_a_version_that_ends_is_in_headers_and_in_attributes() -> None:
    rows = (deprecated(migration=PAGE), deprecated(2, sunset=None), row(3, "open"))
    ending = endings_of(rows)[TYPE, 1]
    assert dict(ending.headers(root="/api")) == {
        "deprecation": "@1796083200",
        "sunset": "Mon, 01 Mar 2027 00:00:00 GMT",
        "link": (
            '<https://example.org/moved?to=2%203>; rel="deprecation", '
            '<https://example.org/moved?to=2%203>; rel="sunset", '
            f'</api/schemas/{TYPE}/3>; rel="successor-version"'
        ),
    }
    assert ending.attributes == {
        "deprecated": True,
        "deprecationfrom": "2026-12-01T00:00:00.000000Z",
        "deprecationsunset": "2027-03-01T00:00:00.000000Z",
        "deprecationmigration": PAGE,
    }
    assert [name for name, _ in endings_of(rows)[TYPE, 2].headers()] == ["deprecation", "link"]
    assert (TYPE, 3) not in endings_of(rows)


def test_the_version_that_follows_is_one_that_may_be_published() -> None:
    rows = (deprecated(), row(2), row(3, "open"))
    assert endings_of(rows)[TYPE, 1].successor == 3
    assert endings_of(rows[:2])[TYPE, 1].successor is None


@pytest.mark.parametrize("page", ["javascript:alert(1)", "not a url at all", "/v2", "https://", "https://a b/"])
async def test_where_to_read_on_is_an_absolute_url(page: str) -> None:
    gates = Gatekeeping(None, who="test")  # type: ignore[arg-type]
    with pytest.raises(CallerError, match="https://"):
        await gates.deprecate(TYPE, 1, sunset=None, migration=page)


def test_what_was_forced_is_said_to_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    why = Reason("not-active", "it is not", {}, "no")
    question = {"kind": "version-opened", "type": TYPE, "version": 2}
    answer = Answer(question=question, reasons=(why,), evidence=(), as_of=AsOf(time=NOW, position=5), notes=())
    with pytest.raises(Exit) as ended:
        _told(answer, as_json=False, forced=True)
    assert ended.value.exit_code == 0
    assert "it was done all the same, since --force was given" in capsys.readouterr().out


@pytest.mark.parametrize(("forced", "reasons"), [(True, True), (False, True), (True, False)])
def test_what_was_forced_says_so_to_programs(capsys: pytest.CaptureFixture[str], forced: bool, reasons: bool) -> None:
    why = (Reason("not-active", "it is not", {}, "no"),) if reasons else ()
    question = {"kind": "version-opened", "type": TYPE, "version": 2}
    answer = Answer(question=question, reasons=why, evidence=(), as_of=AsOf(time=NOW, position=5), notes=())
    with pytest.raises(Exit):
        _told(answer, as_json=True, forced=forced)
    assert json.loads(capsys.readouterr().out).get("forced", False) is (forced and reasons)


@pytest.mark.parametrize("text", ["tomorrow", "2027-13-01", "2027-03-01T12:00", "1.3.2027", ""])
def test_a_date_that_is_none_is_told_what_is_accepted(text: str) -> None:
    with pytest.raises(CallerError) as told_so:
        day_or_time_of("--sunset", text)
    why = str(told_so.value)
    assert why == (
        f"--sunset: write a day, as 2027-03-01, or a time in RFC 3339, as 2027-03-01T12:00:00Z, not {text!r}"
    )


def test_a_day_begins_at_midnight_in_utc() -> None:
    assert day_or_time_of("--sunset", "2027-03-01") == day_or_time_of("--sunset", "2027-03-01T01:00:00+01:00")
    assert day_or_time_of("--sunset", None) is None


def test_an_event_is_marked_when_it_is_shown_and_what_its_publisher_says_stays() -> None:
    endings = endings_of((deprecated(), row(2, "open")))
    marks = Marks(endings)
    plain = Entry(1, 0, Envelope(id="1", source="/s", type=TYPE, version=1, attributes={"other": "x"}))
    assert marks.on(plain).envelope.attributes == {"other": "x", **endings[TYPE, 1].attributes}
    assert plain.envelope.attributes == {"other": "x"}
    own = Entry(1, 0, Envelope(id="1", source="/s", type=TYPE, attributes={"deprecationfrom": "2020-01-01T00:00:00Z"}))
    assert marks.on(own) is own
    newer = Entry(1, 0, Envelope(id="1", source="/s", type=TYPE, version=2))
    assert marks.on(newer) is newer


@pytest.mark.parametrize(
    ("leases", "found"),
    [
        ((emits("shop", 1),), ("shop",)),
        ((emits("shop", 2),), ()),
        ((emits("shop", 3),), ()),
        ((emits("shop", 3), emits("old", 1)), ("old",)),
        ((emits("", 1),), ()),
    ],
    ids=["its own", "newer", "brought down to a newer", "one of two", "outside"],
)
def test_who_writes_a_version_is_who_appends_it_not_who_could(
    leases: tuple[VersionLease, ...], found: tuple[str, ...]
) -> None:
    known = census(*leases, versions=(deprecated(), row(2, "open"), row(3)))
    assert writers(known, TYPE, 1) == found


def test_a_service_writes_what_its_newest_is_brought_down_to() -> None:
    known = census(emits("shop", 3), versions=(deprecated(), row(2), row(3)))
    assert writers(known, TYPE, 1) == ("shop",)
    stuck = census(emits("shop", 3, said=Said()), versions=(deprecated(), row(2), row(3)))
    assert writers(stuck, TYPE, 1) == ()


def test_a_version_ends_on_its_date_once_no_service_writes_it_or_strictly_though_one_does() -> None:
    over = deprecated(deprecated=1, sunset=NOW)
    known = census(emits("shop", 1), versions=(over, row(2, "open")))
    assert told(may_end(known, over, strict=False)) == ("no", ["still-produced"])
    assert may_end(known, over, strict=True) == []
    assert may_end(census(emits("shop", 2), versions=known.versions), over, strict=False) == []
    early = replace(over, sunset=NOW + 1)
    assert told(may_end(known, early, strict=True)) == ("no", ["sunset-not-reached"])
    assert told(may_end(known, replace(over, sunset=None), strict=True)) == ("no", ["sunset-not-reached"])


@pytest.mark.parametrize(("days", "is_told"), [(31, False), (29, True), (0, True), (-2, True)])
def test_a_date_is_told_a_month_before_as_long_as_a_service_writes_the_version(days: int, is_told: bool) -> None:
    ends = deprecated(deprecated=1, sunset=NOW + days * DAY_US)
    writing = census(emits("shop", 1), versions=(ends, row(2, "open")))
    assert [(each.days, each.writers, each.is_overdue) for each in nearing(writing)] == (
        [(days, ("shop",), days < 0)] if is_told else []
    )
    assert list(nearing(census(emits("shop", 2), versions=writing.versions))) == []


@pytest.mark.parametrize(
    ("life", "gate", "sunset", "codes"),
    [
        ("active", "open", None, ["still-produced", "sunset-not-reached"]),
        ("deprecated", "open", None, ["sunset-not-reached"]),
        ("deprecated", "open", NOW + 1, ["sunset-not-reached"]),
        ("deprecated", "open", NOW, ["still-produced"]),
        ("sunset", "closing", NOW, ["still-produced"]),
        ("sunset", "closed", NOW, []),
        ("retired", "closed", NOW, ["number-burnt"]),
    ],
)
def test_a_version_is_retired_once_it_has_ended(life: Any, gate: Any, sunset: int | None, codes: list[str]) -> None:
    rows = (deprecated(life=life, gate=gate, deprecated=1, sunset=sunset), row(2, "open"))
    known = census(lease("a", 1, 2, said=replace_said(natives=(2,))), versions=rows)
    assert [each.code for each in may_retire(known, TYPE, 1)] == codes


def test_a_version_is_not_retired_before_all_that_reads_it_natively_may_let_it_go() -> None:
    rows = (deprecated(life="sunset", gate="closed", deprecated=1, sunset=NOW), row(2, "open"))
    view = lease("a", 1, 2, said=Said(natives=(1, 2), reads_all=True))
    assert [each.code for each in may_retire(census(view, versions=rows), TYPE, 1)] == ["stored"]
    gone = lease("a", 1, said=Said(natives=(1,)), admission="left", expires_at=NOW)
    assert told(may_retire(census(gone, versions=rows), TYPE, 1)) == ("unknown", ["consumer-unseen"])
