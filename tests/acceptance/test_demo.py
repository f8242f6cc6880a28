"""The demonstration, whole: a real server, killed three times, against a generator that knows what truly happened.

On SQLite, and on PostgreSQL: the same program, only the URL is another.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import asyncpg
import pytest

from tests.warm.serving import Warm
from tidings.cli import exits
from tidings.cli.program import run_with
from tidings.demo import parties
from tidings.demo import run as demo
from tidings.demo import server as servers
from tidings.demo.comparing import Comparison
from tidings.demo.partner_taken import is_forgotten
from tidings.demo.plan import Plan
from tidings.demo.report import Line
from tidings.demo.server import Place
from tidings.demo.standard import message_id
from tidings.demo.telling import TILL
from tidings.demo.truth import KEYS
from tidings.operations.progress import unwatched
from tidings.ports import Ports
from tidings.wording import counted

EVENTS = 120


@pytest.fixture(autouse=True)
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a demonstration's servers warm where it runs in this process; as a program of its own it begins them."""
    for module in (servers, parties):
        monkeypatch.setattr(module, "Server", Warm)


def demo_of(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the demonstration to its end, as a process whose temporary files lie in this folder."""
    return subprocess.run(
        [sys.executable, "-m", "tidings", "demo", *options],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=250,
    )


def agreed(folder: Path, *options: str) -> dict[str, Any]:
    """Return the report of a small demonstration after which everything agrees, and nothing is left behind."""
    ended = demo_of(folder, "--seed", "7", "--events", str(EVENTS), "--json", *options)
    report = report_of(ended, folder)
    assert (ended.returncode, ended.stderr) == (exits.OK, "")
    lines = {line["what"]: line["found"] for line in report["lines"]}
    plan = Plan.draw(7, events=EVENTS)
    kept = len(plan.wishes) + len(plan.told)
    assert lines["log"] == f"{kept} of {kept} acknowledged events kept, each once"
    assert {tuple(what.split(".")) for what in lines if "." in what} == KEYS.keys()
    orders = len(plan.rows(plan.history)["orders", "order"])
    assert lines["orders.order"] == f"{orders} of {orders} rows right"
    told = sum(each.source == TILL for each in plan.told)
    assert lines["webhooks in"].startswith(f"{told} of {told} of Till's webhooks taken")
    [taken, due] = re.findall(r"^(\d+) of (\d+) events taken by Partner", lines["webhooks out"])[0]
    assert int(taken) == int(due) >= told
    [forgotten] = re.findall(
        r"(\d+) events? answered with 200 and then forgotten, all but 0 found", lines["webhooks out"]
    )
    assert (
        int(forgotten) >= sum(is_forgotten(message_id(TILL, each.id)) for each in plan.told if each.source == TILL) > 0
    )
    assert lines["lost webhooks"].startswith(f"{counted(len(plan.lost), 'webhook')} never came")
    assert "0 others" in lines["deletes"]
    assert report["lines"][-1]["what"] == "consistent as of"
    assert lines["consistent as of"].endswith("except 0 orders")
    assert lines["old endpoint"].startswith("gone after ")
    assert lines["refold"] == "8 of 8 tables equal a refold of the log"
    bookmarked = sum(each.type == "tweet-bookmarked" for each in plan.told)
    written = [int(count) for count in re.findall(r"(\d+) as [123]", lines["versions"].partition(";")[0])]
    assert len(written) == 3
    assert sum(written) >= bookmarked
    assert lines["wrong order"] == "3 before its readers: no, users accepts 1 2"
    assert lines["rollout"].startswith("readers first, then the desk")
    assert lines["end of 1"].startswith("1 is retired")
    assert "after a replay of every version" in lines["replay"]
    old = len({each.id for each in plan.tellings if each.is_old})
    assert lines["old webhooks"].startswith(f"{old} of {old} payments")
    greeted = len(plan.rows(plan.history)["users", "welcome"])
    assert lines["calls outside"].startswith(f"{greeted} of {greeted} users greeted")
    assert report["facts"]["kill -9"].startswith("3 times in the middle, 2 processes at once")
    assert list(folder.iterdir()) == []
    return report


def report_of(ended: subprocess.CompletedProcess[str], folder: Path) -> dict[str, Any]:
    """Return the report of a run in which everything agrees; else say which lines do not, and what the servers said."""
    logs = "\n".join(path.read_text("utf-8", "replace")[-6_000:] for path in folder.glob("*/server.log"))
    assert ended.returncode in (exits.OK, exits.NO), f"exit code {ended.returncode}: {ended.stderr}\n{logs}"
    report: dict[str, Any] = json.loads(ended.stdout)
    wrong = [f"{line['what']}: {line['found']}; {line['detail']}" for line in report["lines"] if not line["right"]]
    assert report["agrees"] is not bool(wrong)
    assert not wrong, "\n".join(["does not agree:", *wrong, f"it took {report['facts']['it took']}", logs])
    return report


def test_everything_agrees_after_duplicates_disorder_and_three_kills(tmp_path: Path) -> None:
    assert agreed(tmp_path)["facts"]["database"] == "SQLite"


async def test_everything_agrees_on_postgresql_and_its_database_is_removed(
    tmp_path: Path, bare_postgres_url: str
) -> None:
    report = agreed(tmp_path, "--database", bare_postgres_url)
    assert report["facts"]["database"] == "PostgreSQL"
    assert str(urlsplit(bare_postgres_url).password) not in json.dumps(report)
    assert await databases(bare_postgres_url) == set()


def test_only_a_postgresql_server_can_be_named(tmp_path: Path) -> None:
    for url, said in (("sqlite:///x.db", "without it the demo runs on SQLite"), ("x", "postgresql://USER:PASSWORD")):
        ended = demo_of(tmp_path, "--database", url)
        assert ended.returncode == 2
        assert said in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_everything_agrees_if_each_service_is_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(demo, "KILLS", 1)
    assert run_with(["demo", "--seed", "7", "--events", str(EVENTS), "--apart", "--json"]) == exits.OK
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["agrees"]
    assert report["facts"]["kill -9"].startswith("1 time in the middle, 4 processes at once")


async def test_with_every_webhook_lost_the_orders_end_right_by_reconciliation_alone(tmp_path: Path) -> None:
    plan = Plan.draw(7, events=EVENTS, lost=1.0)
    report = await demo.Demo(plan, Place(tmp_path), Ports(), unwatched).run()
    assert report.agrees, [line for line in report.lines if not line.right]
    lines = {line.what: line.found for line in report.lines}
    assert lines["webhooks in"].startswith("0 of 0 of Till's webhooks taken")
    orders = len(plan.rows(plan.history)["orders", "order"])
    assert lines["orders.order"] == f"{orders} of {orders} rows right"
    assert int(re.findall(r"(\d+) found by reconciliation", lines["lost webhooks"])[0]) >= orders


def test_a_wrong_row_is_found_and_ends_with_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def lines_after_tampering(comparison: Comparison, told: dict[str, Any]) -> list[Line]:
        """Stand between the last write and the comparison, and change one row behind the server's back."""
        [database] = tmp_path.glob("*/chirp.db")
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE users_user__v1 SET handle = 'wrong' WHERE user_id = 'user-1'")
        connection.close()
        return await compare(comparison, told)

    compare = Comparison.lines

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Comparison, "lines", lines_after_tampering)
    monkeypatch.setattr(demo, "KILLS", 0)
    assert run_with(["demo", "--seed", "7", "--events", "60", "--json"]) == exits.NO
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert not report["agrees"]
    wrong = {line["what"]: line["detail"] for line in report["lines"] if not line["right"]}
    assert set(wrong) == {"users.user", "refold"}
    assert "'handle': 'wrong'" in wrong["users.user"]
    assert wrong["refold"] == "users.user"
    assert [path.name for path in tmp_path.glob("*/server.log")] == ["server.log"]


def test_page_and_server_stay_open_until_they_are_ended(tmp_path: Path) -> None:
    arguments = ["demo", "--seed", "7", "--events", "60", "--serve", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tidings", *arguments],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        report = json.loads(process.stdout.readline())
        assert report["agrees"]
        said = {name: read(url) for name, url in report["open"].items()}
        assert "<title>Chirp</title>" in said["page"]
        assert "orders.account" in said["console"]
        assert json.loads(said["api"])["openapi"].startswith("3.1")
        [row] = json.loads(read(report["open"]["page"] + "tidings/views/orders/order?order_id=order-0"))["rows"]
        assert row["order_id"] == "order-0"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            out, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert (process.returncode, out, errors) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def read(url: str) -> str:
    with urlopen(url, timeout=30) as answer:
        assert answer.status == 200
        return str(answer.read().decode())


async def databases(url: str) -> set[str]:
    """Return the names of the demonstration's databases on this server."""
    connection = await asyncpg.connect(url)
    found = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    await connection.close()
    return {name for name in found if name.startswith("tidings_demo")}
