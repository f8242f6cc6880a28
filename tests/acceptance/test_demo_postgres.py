"""The demonstration on PostgreSQL: the same program, only the URL is another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.postgres.fixtures import Postgres


async def databases(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    found = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    await connection.close()
    return {name for name in found if name.startswith("tidings_demo")}


async def test_everything_agrees_on_postgresql_and_its_database_is_removed(
    tmp_path: Path, postgres: Postgres, bare_postgres_url: str
) -> None:
    named = ("--database", bare_postgres_url)
    ended = subprocess.run(
        [sys.executable, "-m", "tidings", "demo", "--seed", "7", "--events", "200", "--json", *named],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert ended.returncode == 0, ended
    assert ended.stderr == ""
    report = json.loads(ended.stdout)
    assert report["agrees"]
    assert report["facts"]["database"] == "PostgreSQL"
    assert report["facts"]["kill -9"].startswith("3 times")
    assert list(tmp_path.iterdir()) == []
    assert await databases(bare_postgres_url) == set()
    assert str(urlsplit(bare_postgres_url).password) not in ended.stdout


def test_only_a_postgresql_server_can_be_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tidings", "demo", "--database"]
    for url, said in (("sqlite:///x.db", "without it the demo runs on SQLite"), ("x", "postgresql://USER:PASSWORD")):
        ended = subprocess.run(
            [*command, url], cwd=tmp_path, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True
        )
        assert ended.returncode == 2
        assert said in ended.stderr
    assert list(tmp_path.iterdir()) == []
