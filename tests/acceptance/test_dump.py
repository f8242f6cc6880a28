"""A dump of PostgreSQL is made and put back by the very commands of the page on backups."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.acceptance.test_postgres import OnPostgres, settled
from tests.acceptance.test_restore import put, row
from tests.house.pages import ROOT, blocks
from tests.postgres.binaries import NEWEST, provide

PAGE = ROOT / "docs" / "operate" / "backup-and-restore.md"
WRITTEN_AS = "postgresql://shop:s3cret@localhost/shop"


@pytest.fixture
def restored_url(bare_postgres_url: str) -> Iterator[str]:
    """The URL of the database that the page has put back; it is gone in the end."""
    parts = urlsplit(bare_postgres_url)
    yield f"{bare_postgres_url}_restored"

    async def drop() -> None:
        connection = await asyncpg.connect(parts._replace(path="/postgres").geturl())
        await connection.execute(f'DROP DATABASE IF EXISTS "{parts.path[1:]}_restored" WITH (FORCE)')
        await connection.close()

    asyncio.run(drop())


def number(token: str) -> int:
    """Return the number in a position token."""
    return int(token.rpartition("-")[2])


def run(text: str, *, url: str, folder: Path) -> None:
    """Run the commands of the page, with the database at `url` for the one that it names."""
    parts = urlsplit(url)
    commands = text.replace(WRITTEN_AS, url).replace(" shop_restored\n", f" {parts.path[1:]}_restored\n")
    commands = commands.replace(" -O shop ", f" -O {parts.username} ")
    server = {
        "PGHOST": parts.hostname,
        "PGPORT": str(parts.port),
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
    }
    path = f"{provide(NEWEST)}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", commands],
        cwd=folder,
        env=os.environ | {"PATH": path} | {name: value or "" for name, value in server.items()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("by_superuser", [False, True])
def test_what_is_kept_and_what_is_lost_is_as_the_page_says(
    tmp_path: Path, bare_postgres_url: str, restored_url: str, *, by_superuser: bool
) -> None:
    dumping, restoring, made_by_superuser = [block.text for block in blocks(PAGE) if block.kind == "sh"]
    if by_superuser:
        restoring = made_by_superuser + restoring.partition("\n")[2]
    before, after = OnPostgres(tmp_path, bare_postgres_url), OnPostgres(tmp_path, restored_url)
    with before.serving() as url:
        _, kept = put(url, "1", 10)
        assert row(url, "1", kept) == 10
        put(url, "-1", -1)
        before.eventually("consumers", "--app", "shop:app", until=settled)
        run(dumping, url=bare_postgres_url, folder=tmp_path)
        _, lost = put(url, "2", 20)
        assert row(url, "2", lost) == 20
    run(restoring, url=bare_postgres_url, folder=tmp_path)
    handled = after.tidings("log", "tail", "--json").json
    said = after.tidings("log", "restored", "--yes", "--json")
    assert said.code == 0, said.err
    with after.serving() as url:
        consumers = after.eventually("consumers", "--app", "shop:app", until=settled)
        assert {number(each["checkpoint"]) for each in consumers} == {number(handled[-1]["position"])}
        again = after.tidings("log", "tail", "--json").json
        assert [(number(entry["position"]), entry["event"]) for entry in again] == [
            (number(entry["position"]), entry["event"]) for entry in handled
        ], "nothing is handled again"
        [letter] = after.tidings("dead", "list", "--json").json
        assert letter["subject"] == "-1"
        assert put(url, "1", 10) == (200, f"{said.json['incarnation']}-{kept.rpartition('-')[2]}")
        status, new = put(url, "2", 21)
        assert status == 201, "that it was another order before is not known any more"
        assert number(new) > said.json["after"]
        assert row(url, "2", new) == 21
    assert after.tidings("views", "verify", "--app", "shop:app").code == 0
