"""The documents do what they say: programs run, commands and routes exist, reference pages are the code's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import typer
from starlette.routing import Match

from tests.house.pages import (
    ELSEWHERE,
    PAGES,
    ROOT,
    WRITTEN_AS,
    Block,
    Reader,
    blocks,
    brings_a_program,
    curl,
    paragraph,
    table,
    words_of,
)
from tests.postgres.fixtures import Postgres
from tidings import App, Settings, errors
from tidings.api.application import UNDER_WAY_MAX, WAITING_MAX, application
from tidings.api.bodies import BODY_SECONDS, LARGE_BYTES_MAX, SILENCE_SECONDS, SMALL_BYTES
from tidings.api.connection import CONNECTIONS_MAX, HEAD_SECONDS
from tidings.api.ingest import EVENT_BYTES_MAX
from tidings.api.problems import TYPE_BASE, Problem
from tidings.api.queries import LIMIT_DEFAULT, LIMIT_MAX
from tidings.api.unreadable import HEAD_BYTES_MAX
from tidings.cli.program import build
from tidings.events.cloudevents import BATCH_BYTES_MAX, BATCH_EVENTS_MAX
from tidings.events.rules import ATTRIBUTES_BYTES_MAX, DATA_BYTES_MAX, EXTENSIONS_MAX, INDEXED_BYTES_MAX, TIME_AHEAD_MAX
from tidings.operations.fitting import PAGE_BYTES


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


REFERENCE = ROOT / "docs" / "reference"
ALL = [block for page in PAGES for block in blocks(page)]
COMMANDS = [(block, command) for block in ALL if block.kind in ("console", "sh") for command, _ in block.commands()]
FOLLOWED = {name(page) for page in PAGES if brings_a_program(page)}
RUN_APART = {"docs/how-to/test-an-adapter.md": "tests/conformance/test_adapter_page.py"}
"""Pages whose program needs that of another page, and the test that runs both."""
RUN_IN_TEST_DUMP = {"pg_dump", "createdb", "pg_restore"}
ON_A_SERVER = ("docs/how-to/run-on-postgresql.md", "docs/how-to/use-sqlalchemy.md")
INLINE = re.compile(r"`(tidings [a-z][^`]*)`")


@pytest.fixture
def environment(page: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What is set while a page is followed: where the database is, on a page that needs one on a server."""
    if name(page) not in ON_A_SERVER:
        yield {}
        return
    server: Postgres = request.getfixturevalue("postgres")
    own = f"shop_{token_hex(4)}"  # other pages are followed at the same time
    [made] = [block.text for block in blocks(page) if block.kind == "sql"] or ["CREATE DATABASE shop"]
    asyncio.run(said(server.url("postgres"), re.sub(r"\bshop\b", own, made)))
    named = re.findall(r'database_url = "(.*)"', page.read_text("utf-8")) or [server.url("shop")]
    [url] = [urlsplit(re.sub(r"\bshop\b", own, each)) for each in named]
    user, _, _ = url.netloc.rpartition("@")
    there = urlsplit(server.url(own)).netloc.rpartition("@")[2]
    yield {"TIDINGS_DATABASE_URL": url._replace(netloc=f"{user}@{there}").geturl()}
    gone = f"DROP DATABASE IF EXISTS {own} WITH (FORCE);\nDROP ROLE IF EXISTS {own};"
    asyncio.run(said(server.url("postgres"), gone))


async def said(url: str, *scripts: str) -> None:
    """Say these scripts to a server, each statement by itself."""
    connection = await asyncpg.connect(url)
    for script in scripts:
        for statement in script.strip().split(";\n"):
            await connection.execute(statement.rstrip(";"))
    await connection.close()


@pytest.mark.parametrize("page", [page for page in PAGES if name(page) in FOLLOWED], ids=name)
def test_what_a_page_says_can_be_done_as_it_says(
    page: Path, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    reader = Reader(tmp_path, environment)
    try:
        for block in blocks(page):
            reader.follow(block)
    finally:
        reader.close()


def test_every_block_says_what_it_is_in() -> None:
    fences = sum(len(re.findall(r"^ *```", page.read_text("utf-8"), re.MULTILINE)) for page in PAGES)
    assert fences == 2 * len(ALL)
    assert {block.kind for block in ALL} <= {"", "python", "console", "sh", "toml", "json", "sql", "text"}


def test_a_program_stands_on_a_page_that_can_be_followed() -> None:
    assert {block.page for block in ALL if block.kind == "python"} <= FOLLOWED | RUN_APART.keys()
    assert [test for test in RUN_APART.values() if not (ROOT / test).exists()] == []


def test_every_command_in_a_document_exists_with_its_options() -> None:
    there: list[str] = [command for _, command in COMMANDS if words_of(command)[0] == "tidings"]
    there += [found[1] for page in PAGES for found in INLINE.finditer(page.read_text("utf-8").replace("\n", " "))]
    assert there
    assert {command: wrong for command in there if (wrong := wrong_in(command))} == {}


def wrong_in(command: str) -> str:
    found: Any = typer.main.get_command(build())
    words = words_of(command.replace("…", ""))[1:]
    while hasattr(found, "commands") and words and not words[0].startswith("-"):
        if words[0] not in found.commands:
            return f"there is no {words[0]!r}"
        found = found.commands[words.pop(0)]
    options = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = {word for word in words if word.startswith("-") and word != "-"} - options - {"--help"}
    return f"it has no {sorted(unknown)}" if unknown else ""


async def test_every_request_that_is_only_shown_has_a_route() -> None:
    async with App().open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        routes = (await application(opened)).routes
    shown = [command for block, command in COMMANDS if block.kind == "sh" or block.page not in FOLLOWED]
    requests = [curl(words_of(command)[1:]) for command in shown if command.startswith("curl ")]
    assert requests
    for request in requests:
        assert request.host == WRITTEN_AS
        scope = {"type": "http", "method": request.method, "path": request.target.partition("?")[0], "root_path": ""}
        assert any(route.matches(scope)[0] is Match.FULL for route in routes), request


def test_no_other_program_is_asked_for() -> None:
    first = {words_of(command)[0] for _, command in COMMANDS}
    assert first <= ELSEWHERE | RUN_IN_TEST_DUMP | {"tidings", "curl", "python", "uvicorn", "echo"}


def test_every_page_is_reached_from_the_start() -> None:
    link = re.compile(r"\]\((?!https?://)([^)#\s]+)")
    reached, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page.is_dir():
            reached |= set(page.glob("*.md"))
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        left += [(page.parent / found[1]).resolve() for found in link.finditer(page.read_text("utf-8"))]
    assert {name(page) for page in PAGES} - {name(page) for page in reached if page.is_relative_to(ROOT)} == set()


def raised() -> list[type[Exception]]:
    return [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.TidingsError)]


def test_the_page_of_errors_draws_the_tree_of_the_code() -> None:
    tree = (errors.__doc__ or "").partition("\n\n")[2].strip()
    assert f"```text\n{tree}\n```" in (REFERENCE / "errors.md").read_text("utf-8")
    assert {re.findall(r"\w+", line)[0] for line in tree.splitlines()} == {each.__name__ for each in raised()}


def test_the_tree_of_errors_is_that_of_the_classes() -> None:
    found: dict[int, str] = {}
    for line in (errors.__doc__ or "").partition("\n\n")[2].strip().splitlines():
        depth = re.match(r"[│ ├└─]*", line)
        assert depth is not None
        found[len(depth[0]) // 4] = re.findall(r"\w+", line)[0]
        if depth[0]:
            above = found[len(depth[0]) // 4 - 1]
            assert getattr(errors, found[len(depth[0]) // 4]).__bases__[0].__name__ == above


def test_the_page_of_errors_says_of_each_what_the_code_says() -> None:
    rows = {row[0]: row[1] for row in table("Each of them", REFERENCE / "errors.md")}
    assert rows == {f"`{each.__name__}`": paragraph(each) for each in raised() if each is not errors.TidingsError}


def test_the_page_of_http_lists_every_problem() -> None:
    rows = {row[0]: row[1:] for row in table("Problems", REFERENCE / "http.md")}
    retry = {None: ""}
    assert rows == {
        f"`{each.slug}`": (str(each.status), each.title, retry.get(each.retry_after, str(each.retry_after)))
        for each in Problem
    }
    assert f"`{TYPE_BASE}" in (REFERENCE / "http.md").read_text("utf-8")


async def test_the_page_of_http_lists_every_route() -> None:
    async with App().open(Settings(database_url="sqlite:///:memory:"), consume=False) as opened:
        routes = (await application(opened)).routes
    there = {
        (method, route.path.replace(":path", "")) for route in routes for method in (route.methods or set()) - {"HEAD"}
    }
    rows = {(method, path) for cell, *_ in table("Routes", REFERENCE / "http.md") for method, path in pairs(cell)}
    assert rows == there


def pairs(cell: str) -> list[tuple[str, str]]:
    method, path = cell.strip("`").split(" ")
    return [(method, path)]


def test_the_page_of_http_states_the_limits_of_the_code() -> None:
    kib = 1024
    rows = {row[0]: row[1] for row in table("Limits", REFERENCE / "http.md")}
    assert rows == {
        "time of an event": f"{TIME_AHEAD_MAX / 3600:.0f} h ahead of the server's clock (setting `time_ahead_max`)",
        "data of one event": f"{DATA_BYTES_MAX // kib} KiB (setting `data_bytes_max`)",
        "all attributes of one event": f"{ATTRIBUTES_BYTES_MAX // kib} KiB",
        "texts and bytes of the key of a view's row, together": f"{INDEXED_BYTES_MAX:,} bytes of UTF-8",
        "extension attributes": str(EXTENSIONS_MAX),
        "body with one event": f"{EVENT_BYTES_MAX // kib // kib} MiB",
        "batch": f"{BATCH_EVENTS_MAX} events, {BATCH_BYTES_MAX // kib // kib} MiB",
        "`limit` of a page": f"1 to {LIMIT_MAX:,}, {LIMIT_DEFAULT} if left out",
        "a page of events, rows or deliveries that are polled": (
            f"{PAGE_BYTES // kib // kib} MiB or so, and one item at least: what is left is behind `next`"
        ),
        "bodies on their way together": (
            f"{LARGE_BYTES_MAX // kib // kib} MiB beyond the first {SMALL_BYTES // kib} KiB of each"
        ),
        "`Prefer: wait`": "30 s",
        "request line and headers": f"{HEAD_BYTES_MAX // kib} KiB, whole within {HEAD_SECONDS} s",
        "body on its way": f"{SILENCE_SECONDS} s without a byte, {BODY_SECONDS} s in all",
        "requests under way": f"{UNDER_WAY_MAX:,}, those not counted that may wait or whose body is on its way",
        "requests that may wait, streams among them": f"{WAITING_MAX:,}",
        "connections": f"{CONNECTIONS_MAX:,}, or what file descriptors allow",
    }


def test_blocks_are_read_as_they_are_written() -> None:
    block = Block("console", "$ tidings run a:b \\\n    --json\nready…\n$ curl x\n", "page", 1)
    assert block.commands() == [("tidings run a:b      --json", "ready…\n"), ("curl x", "")]
    assert wrong_in("tidings nothing") == "there is no 'nothing'"
    assert wrong_in("tidings run a:b --nothing") == "it has no ['--nothing']"
