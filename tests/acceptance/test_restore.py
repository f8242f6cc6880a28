"""A database is put back from an older copy: what was lost is told, nothing is mixed up with it, and all goes on."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.acceptance.place import Place
from tests.acceptance.test_postgres import OnPostgres
from tidings.log.lives import APART

Steps = tuple[Place, Callable[[], None], Callable[[], None]]
"""A place, how its database is copied, and how it is put back."""


def on_sqlite(folder: Path) -> Steps:
    def copy() -> None:
        with closing(sqlite3.connect(folder / "tidings.db")) as now, closing(sqlite3.connect(folder / "copy")) as to:
            now.backup(to)

    def put_back() -> None:
        for end in ("-wal", "-shm"):
            (folder / f"tidings.db{end}").unlink(missing_ok=True)
        shutil.copy(folder / "copy", folder / "tidings.db")

    return Place(folder), copy, put_back


def on_postgres(folder: Path, url: str) -> Steps:
    name = urlsplit(url).path[1:]

    def said(*statements: str) -> None:
        async def say() -> None:
            connection = await asyncpg.connect(urlsplit(url)._replace(path="/postgres").geturl())
            for statement in statements:
                await connection.execute(statement)
            await connection.close()

        asyncio.run(say())

    def copy() -> None:
        said(f'CREATE DATABASE "{name}_copy" TEMPLATE "{name}"')

    def put_back() -> None:
        said(f'DROP DATABASE "{name}"', f'ALTER DATABASE "{name}_copy" RENAME TO "{name}"')

    return OnPostgres(folder, url), copy, put_back


@pytest.fixture(params=["sqlite", "postgres"])
def steps(request: pytest.FixtureRequest, tmp_path: Path) -> Steps:
    if request.param == "sqlite":
        return on_sqlite(tmp_path)
    return on_postgres(tmp_path, request.getfixturevalue("bare_postgres_url"))


def put(url: str, order: str, total: int) -> tuple[int, str]:
    """Publish an order; return the status and the position's token."""
    body = json.dumps({"order_id": order, "total": total}).encode()
    headers = {"ce-type": "order-placed", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/events/shop/o-{order}", body, headers, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, answer.headers["Tidings-Position"]


def row(url: str, order: str, token: str) -> int:
    """Read an order's total, no further back than the token says."""
    headers = {"tidings-min-position": token, "prefer": "wait=20"}
    request = urllib.request.Request(f"{url}/views/orders/order/{order}", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        total: int = json.load(answer)["row"]["total"]
        return total


def position(token: str) -> int:
    return int(token.rpartition("-")[2])


def test_after_a_restore_no_position_is_used_twice_and_old_tokens_are_told_apart(steps: Steps) -> None:
    place, copy, put_back = steps
    with place.serving() as url:
        _, kept = put(url, "1", 10)
        assert row(url, "1", kept) == 10
    copy()
    with place.serving() as url:
        _, lost = put(url, "2", 20)
        assert row(url, "2", lost) == 20
    put_back()
    done = place.tidings("log", "restored", "--yes")
    assert done.code == 0, done.err
    with place.serving() as url:
        for old in (kept, lost):
            with pytest.raises(urllib.error.HTTPError) as refused:
                row(url, "1", old)
            with refused.value:
                problem = json.load(refused.value)
            assert (problem["status"], "before it was restored" in problem["detail"]) == (400, True)
        assert put(url, "1", 10)[0] == 200
        again, new = put(url, "2", 20)
        assert again == 201
        assert position(new) > position(kept) + APART
        assert position(new) > position(lost)
        assert row(url, "2", new) == 20
        assert place.tidings("views", "verify", "--app", "shop:app").code == 0
        tail = [entry["event"]["id"] for entry in place.tidings("log", "tail", "--json").json]
        assert {"o-1", "o-2"} <= set(tail)
