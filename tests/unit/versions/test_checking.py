"""The lock file and the check that a pipeline runs, on a repository as it grows."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from tests.unit.versions.bookmarks import second
from tidings import App, Service, Settings, event
from tidings.cli.program import run_with
from tidings.errors import DeclarationError
from tidings.store.versions import EventVersion
from tidings.versions import engine
from tidings.versions.checking import check
from tidings.versions.lineage import lineages_of
from tidings.versions.lockfile import Lock
from tidings.versions.schemas import schema_of

HEAD = """
from tidings import App, Service, downcaster, event, upcaster
"""
FIRST = """
@event("tweet-bookmarked", version=1, subject="tweet_id")
class TweetBookmarked:
    tweet_id: str
    user_id: str
"""
SECOND = FIRST.replace("version=1", "version=2") + '    folder: str = "all"\n'
THIRD = SECOND.replace("version=2", "version=3").replace("user_id: str", "owner: dict[str, str]")
UP = """
@upcaster(TweetBookmarked, from_version=2)
def owner_from_user(data):
    return {"tweet_id": data["tweet_id"], "folder": data.get("folder", "all"), "owner": {"id": data["user_id"]}}
"""
FOOT = """
app = App(Service("bookmarks", emits=[TweetBookmarked]))
"""
Told = tuple[int, str]


class Repository:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.lock = folder / "events.lock.json"

    def write(self, *parts: str, lock: str = "") -> None:
        foot = FOOT.replace("]))", f"]){lock})")
        (self.folder / "program.py").write_text(HEAD + "".join(parts) + foot, "utf-8")

    def run(self, *arguments: str) -> Told:
        sys.modules.pop("program", None)
        (self.folder / "__pycache__").exists() and [each.unlink() for each in (self.folder / "__pycache__").iterdir()]
        code = run_with(["versions", *arguments, "--app", "program:app"])
        captured = self._capsys.readouterr()
        return code, captured.out + captured.err

    def fixture(self, version: int, text: str) -> None:
        path = self.folder / "tests/versions/tweet-bookmarked" / str(version) / "first.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def codes(self, *arguments: str) -> tuple[int, set[str]]:
        code, out = self.run("check", "--json", *arguments)
        return code, {each["code"] for each in json.loads(out)["findings"]}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Repository:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDINGS_DATABASE_URL", "sqlite:///:memory:")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Repository(tmp_path, capsys)


def test_a_version_is_locked_published_and_then_never_changes(repository: Repository) -> None:
    repository.write(FIRST)
    assert repository.run("check")[0] == 2  # there is no lock file yet
    assert repository.run("lock")[0] == 0
    assert repository.run("check") == (0, "ok\n")
    kept = json.loads(repository.lock.read_text("utf-8"))["types"]["tweet-bookmarked"]
    assert (kept["owner"], kept["versions"]["1"]["published"]) == ("bookmarks", False)
    assert re.fullmatch("[0-9a-f]{64}", kept["versions"]["1"]["sha256"])
    repository.write(FIRST + "    note: str\n")
    code, out = repository.run("check")
    assert (code, "`tidings versions lock`" in out) == (1, True)
    assert repository.run("lock", "--publish")[0] == 0
    repository.write(FIRST)
    code, out = repository.run("check")
    assert code == 1
    assert "is published with the schema" in out
    assert "declare the change as version 2" in out
    assert repository.run("lock")[0] == 2


NAMED = ', lock="events.lock.json"'


def test_an_application_that_names_its_lock_file_is_judged_as_one_that_does_not(repository: Repository) -> None:
    repository.write(FIRST, lock=NAMED)
    assert repository.run("lock", "--publish")[0] == 0  # which there was none of
    assert repository.run("check") == (0, "ok\n")
    asked = (("check",), ("check", "--json"), ("check", "--github"))
    for changed in (FIRST + "    note: str\n", THIRD.replace("version=3", "version=2")):
        repository.write(changed)
        told = [repository.run(*each) for each in asked]
        assert [code for code, _ in told] == [1, 1, 1]
        repository.write(changed, lock=NAMED)
        assert [repository.run(*each) for each in asked] == told


def test_steps_that_do_not_join_are_found_where_the_program_would_not_start(repository: Repository) -> None:
    repository.write(FIRST)
    repository.run("lock")
    lone = UP.replace("owner_from_user", "other").replace("from_version=2", "from_version=7")
    repository.write(THIRD + UP + lone)
    code, found = repository.codes()
    assert (code, "missing-step" in found) == (1, True)


def test_a_lock_file_is_written_the_same_and_says_nothing_of_names_in_the_code(repository: Repository) -> None:
    repository.write(FIRST)
    repository.run("lock")
    before = repository.lock.read_bytes()
    repository.write(
        '"""Other words."""\n' + FIRST.replace("class TweetBookmarked:", "class Kept:\n    'Said.'"),
        "\nTweetBookmarked = Kept\n",
    )
    assert repository.run("check") == (0, "ok\n")
    repository.run("lock")
    assert repository.lock.read_bytes() == before


def test_a_change_that_old_data_allows_needs_nothing(repository: Repository) -> None:
    repository.write(FIRST)
    repository.run("lock", "--publish")
    repository.write(SECOND)
    repository.run("lock")
    assert repository.run("check", "--mode", "FULL") == (0, "ok\n")
    _, out = repository.run("list", "--json")
    assert [(each["version"], each["state"], each["reads"]) for each in json.loads(out)] == [
        (1, "read", [2]),
        (2, "native", [1]),
    ]


def test_a_change_that_old_data_forbids_is_named_with_the_smallest_way_out(repository: Repository) -> None:
    repository.write(SECOND)
    repository.run("lock", "--publish")
    kept = json.loads(repository.lock.read_text("utf-8"))
    assert list(kept["types"]["tweet-bookmarked"]["versions"]) == ["2"]
    repository.write(SECOND.replace("version=2", "version=3").replace("user_id: str", "user_id: str\n    account: str"))
    repository.run("lock")
    code, out = repository.run("check")
    assert code == 1
    assert "version 3 does not read version 2: /account was added and is required (give it a default" in out
    assert "::error title=tidings incompatible::" in repository.run("check", "--github")[1]
    assert repository.run("check", "--mode", "FORWARD")[0] == 1  # the gap in the chain stays
    assert repository.codes("--mode", "NONE") == (1, {"missing-step"})


def test_versions_that_are_dead_in_the_database_stand_in_nobodys_way(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write(FIRST)
    repository.run("lock", "--publish")
    monkeypatch.setenv("TIDINGS_DATABASE_URL", f"sqlite:///{repository.folder / 'live.db'}")
    repository.write(THIRD.replace("version=3", "version=2"), UP.replace("=2", "=1"))
    repository.run("lock")
    (repository.folder / "tests/versions/tweet-bookmarked/1/first.json").unlink()
    assert repository.codes() == (1, {"fixture-missing"})  # without a database all versions count

    async def settle(gate: Any) -> None:
        async with App().open(Settings(database_url=f"sqlite:///{repository.folder / 'live.db'}")) as opened:
            row = EventVersion(type="tweet-bookmarked", version=1, sha256="", schema=b"{}", gate=gate)
            await opened.store.register_versions([row], replaces=False)
            await opened.store.write_version(row)

    asyncio.run(settle("open"))
    assert repository.codes() == (1, {"fixture-missing"})
    asyncio.run(settle("closed"))
    assert repository.codes() == (0, set())
    assert repository.codes("--offline") == (1, {"fixture-missing"})


def test_a_step_bridges_it_as_soon_as_a_fixture_proves_it(repository: Repository) -> None:
    repository.write(SECOND)
    repository.run("lock", "--publish")
    repository.write(THIRD, UP)
    repository.run("lock")
    assert repository.run("check") == (0, "ok\n")
    (repository.folder / "tests/versions/tweet-bookmarked/2/first.json").unlink()
    assert repository.codes() == (1, {"fixture-missing"})


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('raise KeyError("user_id")', "failed on event"),
        ('return {"order_id": 1}', "is not valid for version 3"),
        ('data["x"] = 1; return {"tweet_id": "20", "owner": {"id": "jack"}}', "changes the data that it is given"),
        ('import random; return {"tweet_id": str(random.random()), "owner": {}}', "return other data each time"),
        ('return {"tweet_id": "21", "owner": {"id": "jack"}}', 'and "as" says'),
        ("return 5", "have it return the data"),
    ],
)
def test_a_step_that_is_wrong_is_found_by_its_fixture(repository: Repository, step: str, said: str) -> None:
    repository.write(SECOND)
    repository.run("lock", "--publish")
    repository.fixture(
        2, '{"data": {"tweet_id": "20", "user_id": "jack"}, "as": {"3": {"tweet_id": "20", "owner": {"id": "jack"}}}}'
    )
    head = UP[: UP.index("    return")]
    repository.write(THIRD, head, f"    {step}\n")
    repository.fixture(3, '{"data": {"tweet_id": "20", "owner": {}}}')
    repository.run("lock")
    code, out = repository.run("check")
    assert code == 1
    assert said in out


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('raise KeyError("user_id")', "failed on event"),
        ('return {"order_id": 1}', "is not valid for version 3"),
        ('import random; return {"tweet_id": str(random.random()), "owner": {}}', "return other data each time"),
    ],
)
def test_an_example_proves_the_steps_though_it_does_not_say_what_becomes_of_it(
    repository: Repository, step: str, said: str
) -> None:
    repository.write(SECOND)
    repository.run("lock", "--publish")  # which writes a first example, before there is a version 3
    repository.write(THIRD, UP[: UP.index("    return")], f"    {step}\n")
    repository.run("lock")
    code, out = repository.run("check")
    assert code == 1
    assert said in out


def test_a_step_down_that_follows_loses_what_it_drops(repository: Repository) -> None:
    repository.write(FIRST)
    repository.run("lock", "--publish")
    second = FIRST.replace("version=1", "version=2") + "    name: str\n"
    up = '@upcaster(TweetBookmarked, from_version=1)\ndef named(data):\n    return {**data, "name": NAME}\n'
    repository.write(second, up.replace("NAME", '"x"'))
    repository.run("lock")
    repository.fixture(2, '{"data": {"tweet_id": "20", "user_id": "jack", "name": "mine"}}')
    repository.run("lock")
    assert repository.run("check") == (0, "ok\n")
    other = up.replace("{**data,", '{**data, "user_id": "me",')
    repository.write(second, other.replace("NAME", '"x"'))
    code, out = repository.run("check")
    assert (code, "which the step down does not drop" in out) == (1, True)


def test_a_removed_name_does_not_come_back_as_something_else(repository: Repository) -> None:
    repository.write(SECOND)
    repository.run("lock", "--publish")
    without = FIRST.replace("version=1", "version=3")
    repository.write(without)
    repository.run("lock", "--publish")
    assert json.loads(repository.lock.read_text("utf-8"))["types"]["tweet-bookmarked"]["reserved"] == ["folder"]
    repository.write(FIRST.replace("version=1", "version=4") + "    folder: int = 0\n")
    assert "name-reserved" in repository.codes("--scope", "LATEST")[1]


def test_a_step_that_makes_a_member_which_its_version_does_not_declare_is_a_fault(repository: Repository) -> None:
    repository.write(SECOND)
    repository.run("lock", "--publish")
    repository.write(THIRD, UP.replace('"owner": {', '"user": "x", "owner": {'))
    repository.run("lock")
    code, out = repository.run("check", "--offline")
    assert code == 1
    assert "what the steps make of it has members that version 3 does not declare: user" in out


MAPS = """
import datetime as dt
import decimal
import enum
import uuid
from typing import Annotated, Literal
from msgspec import Meta
"""
KINDS = "\nclass Kind(enum.Enum):\n    ONE = 'one'\n"


@pytest.mark.parametrize("base", ["", "(BaseModel)"], ids=["msgspec", "pydantic"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("str", "int"), ("str", "float"), ("float", "int"), ("str", 'Literal["a"]'),
        ('Literal["a", "b"]', 'Literal["a"]'),
        ("str", "Kind"), ("str", "uuid.UUID"), ("str", "dt.date"),
    ],
)  # fmt: skip
def test_keys_of_maps_that_the_new_version_does_not_take_are_told(
    repository: Repository, old: str, new: str, base: str
) -> None:
    head = MAPS + "from pydantic import BaseModel\n" + KINDS
    shape = FIRST.replace("Bookmarked:", f"Bookmarked{base}:") + "    counts: dict[{}, int]\n"
    repository.write(head, shape.format(old))
    repository.run("lock", "--publish")
    assert repository.run("check")[0] == 0
    repository.write(head, shape.replace("version=1", "version=2").format(new))
    repository.run("lock")
    assert repository.run("check")[0] in (1, 3)
    repository.write(head, shape.replace("version=1", "version=2").format(old) + "    more: int = 0\n")
    repository.run("lock")
    assert repository.run("check")[0] == 0


@pytest.mark.parametrize("kind", ["dt.time", "Annotated[dt.datetime, Meta(tz=False)]", "decimal.Decimal", "bytes"])
def test_what_any_text_is_to_a_schema_is_none_to_its_class(repository: Repository, kind: str) -> None:
    repository.write(MAPS, FIRST + f"    at: {kind}\n")
    repository.run("lock", "--publish")
    assert repository.run("check") == (0, "ok\n")
    for other in ("str", "dt.date"):
        repository.write(MAPS, SECOND.replace("folder: str", f"at: {other}\n    folder: str"))
        repository.run("lock")
        assert repository.run("check")[0] == 1
    repository.write(MAPS, SECOND.replace("folder: str", f"at: {kind}\n    folder: str"))
    repository.run("lock")
    assert repository.run("check")[0] == 0


def test_a_changed_default_is_a_warning(repository: Repository) -> None:
    repository.write(SECOND)
    repository.run("lock", "--publish")
    repository.write(SECOND.replace("version=2", "version=3").replace('"all"', '"later"'))
    repository.run("lock")
    assert repository.codes() == (0, {"default-changed"})


def test_a_changed_default_is_a_fault_where_the_version_before_is_stored_until_a_step_says_what_it_meant(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_DATABASE_URL", f"sqlite:///{repository.folder / 'live.db'}")
    repository.write(SECOND)
    repository.run("lock", "--publish")

    async def publish() -> None:
        url, cls = f"sqlite:///{repository.folder / 'live.db'}", second()
        async with App(Service("bookmarks", emits=[cls])).open(Settings(database_url=url), consume=False) as opened:
            await opened.publish(cls("20", "jack"), source="web", id="a", time=None)

    newer = SECOND.replace("version=2", "version=3").replace('"all"', '"later"')
    repository.write(newer)
    repository.run("lock")
    asked = ("may", "register", "tweet-bookmarked", "3")
    asyncio.run(publish())
    assert repository.codes() == (1, {"default-changed"})
    assert repository.codes("--offline") == (0, {"default-changed"})
    assert repository.run(*asked)[0] == 1
    repository.write(newer, UP.split("\n    return")[0] + '\n    return {"folder": "all", **data}\n')
    repository.run("lock")
    assert repository.codes() == (0, set())
    assert repository.run(*asked)[0] == 0


def test_values_may_be_added_where_readers_promise_a_fallback(repository: Repository) -> None:
    kind = "\nfrom typing import Literal\n"
    old = FIRST + '    kind: Literal["a", "b"]\n'
    new = old.replace("version=1", "version=2").replace('"b"]', '"b", "c"]')
    repository.write(kind, old)
    repository.run("lock", "--publish")
    repository.write(kind, new)
    repository.run("lock")
    assert repository.codes("--mode", "FULL") == (1, {"incompatible"})
    repository.lock.unlink()

    def marked(text: str) -> str:
        return text.replace('"tweet_id")', '"tweet_id", open_enums=("kind",))')

    repository.write(kind, marked(old))
    repository.run("lock", "--publish")
    repository.write(kind, marked(new))
    repository.run("lock")
    assert repository.codes("--mode", "FULL") == (0, set())


def _spoilt(lock: dict[str, Any]) -> Any:
    lock["types"]["tweet-bookmarked"]["versions"]["1"]["schema"]["type"] = "array"
    return lock


@pytest.mark.parametrize("spoil", [_spoilt, lambda lock: [], lambda lock: {**lock, "form": 9}, lambda lock: {"x": 1}])
def test_a_lock_file_that_was_changed_by_hand_is_refused(repository: Repository, spoil: Callable[[Any], Any]) -> None:
    repository.write(FIRST)
    repository.run("lock")
    repository.lock.write_text(json.dumps(spoil(json.loads(repository.lock.read_text("utf-8")))), "utf-8")
    code, out = repository.run("check")
    assert (code, "events.lock.json" in out) == (2, True)


def test_an_app_refuses_to_start_on_a_published_version_that_changed(repository: Repository) -> None:
    repository.write(FIRST)
    repository.run("lock", "--publish")
    repository.write(FIRST + "    note: str\n", lock=', lock="events.lock.json"')
    code, out = repository.run("list")
    assert code == 2
    assert "is published with the schema" in out


def test_wrong_use_is_2_and_so_is_a_type_that_is_not_there(repository: Repository) -> None:
    repository.write(FIRST)
    repository.run("lock")
    assert repository.run("check", "--mode", "SIDEWAYS")[0] == 2
    code, out = repository.run("show", "tweet-bookmark")
    assert (code, "did you mean tweet-bookmarked?" in out) == (2, True)
    code, out = repository.run("show", "tweet-bookmarked", "--json")
    assert json.loads(out)["properties"].keys() == {"tweet_id", "user_id"}


@pytest.mark.parametrize("target", ["https://example.com/other.json", "other.json#/x"])
def test_a_schema_that_refers_to_somewhere_else_is_a_clear_no(target: str) -> None:
    told = {"tweet-bookmarked": {1: {"type": "object", "properties": {"user_id": {"$ref": target}}}}}
    lineage = lineages_of([second()], told)["tweet-bookmarked"]
    found = check(lineage, Lock(), (), mode="FULL", scope="TRANSITIVE")
    assert {"no-schema"} <= {each.code for each in found}
    assert [each for each in found if each.code == "no-schema" and "cannot be read" in each.text]


@pytest.mark.parametrize("target", ["https://example.com/other.json", "http://example.com/other.json#/x"])
async def test_nothing_is_fetched_for_a_schema_and_an_app_that_has_one_does_not_start(target: str) -> None:
    @event("far", subject="id")
    class Far(BaseModel):
        model_config = ConfigDict(json_schema_extra={"properties": {"id": {"$ref": target}}})
        id: str

    for ask in (lambda: engine.is_valid(schema_of(Far), {}), lambda: engine.problems(schema_of(Far), b"{}")):
        with pytest.raises(DeclarationError, match=r"a schema cannot be read: .*not present in a registry"):
            ask()
    with pytest.raises(DeclarationError, match=r"far version 1: its schema refers to .*, which is not in it"):
        async with App(Service("far", emits=[Far])).open(Settings(database_url="sqlite:///:memory:"), consume=False):
            pass
