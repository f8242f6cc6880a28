"""The same program on PostgreSQL, as a stranger runs it: only TIDINGS_DATABASE_URL is another."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.acceptance.place import Ended, Place
from tests.postgres.binaries import NEWEST
from tests.postgres.held import held
from tests.postgres.server import own
from tidings.backends.postgres.migrations import LOCK
from tidings.conformance.samples import event
from tidings.operations.checks import WRITE_SECONDS


class OnPostgres(Place):
    """A place whose every command finds the database at `url`, and shows its password nowhere."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self._url = url

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**{"TIDINGS_DATABASE_URL": self._url} | more)

    def tidings(self, *arguments: str, given: str | None = None, **environment: str) -> Ended:
        ended = super().tidings(*arguments, given=given, **environment)
        self.check(ended.out + ended.err)
        return ended

    def check(self, text: str) -> None:
        """See that a text holds no secret."""
        assert str(urlsplit(self._url).password) not in text


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def settled(consumers: list[dict[str, Any]]) -> bool:
    return all(each["lag"]["entries"] == 0 for each in consumers)


def is_caught_up(found: dict[str, Any]) -> bool:
    return all(check["ok"] for check in found["checks"] if check["name"] == "checkpoints")


@pytest.fixture
def place(tmp_path: Path, bare_postgres_url: str) -> OnPostgres:
    return OnPostgres(tmp_path, bare_postgres_url)


def test_events_come_in_are_handled_shown_and_set_aside_as_on_sqlite(place: OnPostgres) -> None:
    assert "there is no database postgresql://127.0.0.1" in place.tidings("log", "tail").err
    with place.serving() as url:
        for order, total in (("1", 10), ("2", 20), ("-1", -1), ("1", 10)):
            assert place.emit(order, total, id=f"order-{order}").code == 0
        other = place.emit("1", 11, id="order-1")
        assert (other.code, other.out) == (1, "")
        place.eventually("consumers", "--app", "shop:app", until=settled)
        assert get(f"{url}/views/orders/order?order_id=2")["rows"][0]["total"] == 20
        assert get(f"{url}/views/orders/last/1")["row"]["total"] == 10
        with urllib.request.urlopen(f"{url}/console", timeout=30) as page:
            shown = page.read().decode()
        assert "postgresql://127.0.0.1" in shown
        place.check(shown)
    [letter] = place.tidings("dead", "list", "--json").json
    assert letter["subject"] == "-1"
    types = [entry["event"]["type"] for entry in place.tidings("log", "tail", "--json").json]
    assert sorted(types) == ["order-noted"] * 2 + ["order-placed"] * 3
    verified = place.tidings("views", "verify", "--app", "shop:app", "--json")
    assert verified.code == 0


async def test_the_tail_says_that_what_is_there_waits_for_a_writer_who_is_not_done(
    tmp_path: Path, postgres_url: str
) -> None:
    async with held(postgres_url) as slow, held(postgres_url) as other:
        await slow.run("BEGIN")
        await slow.append_one(event("slow"))
        await other.append_one(event("other"))
        tail = OnPostgres(tmp_path, postgres_url).tidings("log", "tail")
    assert tail.out.strip() == "no entry can be read yet"
    assert "a position is held open by a writer" in tail.err


def test_the_url_is_shown_without_user_and_password(place: OnPostgres) -> None:
    found = {each["setting"]: each["value"] for each in place.tidings("config", "show", "--json").json}
    parts = urlsplit(place._url)
    assert found["database_url"] == f"postgresql://127.0.0.1:{parts.port}{parts.path}"


def test_tables_are_migrated_from_the_command_line(place: OnPostgres) -> None:
    status = place.tidings("migrate", "status", "--json")
    assert (status.code, status.json["state"]) == (1, "none")
    assert "CREATE SCHEMA tidings" in place.tidings("migrate", "plan", "--sql").out
    assert place.tidings("migrate", "apply", "--json").json["done"] == [1]
    assert place.tidings("migrate", "apply", "--json").json["done"] == []
    status = place.tidings("migrate", "status", "--json")
    assert (status.code, status.json["state"], status.json["pending"]) == (0, "current", 0)


def test_the_doctor_looks_at_the_server(place: OnPostgres) -> None:
    with place.serving():
        place.eventually("consumers", "--app", "shop:app", until=settled)
        found = place.eventually("doctor", "--app", "shop:app", until=is_caught_up)
    names = ["settings", "log", "store", "schema", "leases", "checkpoints"]
    names += ["dead letters", "rebuilds", "versions", "server", "connections", "transactions", "server clock", "clock"]
    assert [check["name"] for check in found["checks"]] == names
    wrong = {check["name"]: check["problem"] for check in found["checks"] if not check["ok"]}
    assert list(wrong) == ["server"]
    assert "fsync is off" in wrong["server"]
    assert found["engine"].startswith("PostgreSQL ")


def test_processes_behind_pgbouncer_find_each_others_events_and_the_doctor_says_that_nobody_is_told_of_them(
    tmp_path: Path, postgres_url: str, pooled_postgres_url: str
) -> None:
    pooled = OnPostgres(tmp_path, pooled_postgres_url)
    with pooled.serving() as one, pooled.serving() as other:
        for n in range(3):
            assert pooled.emit(str(n), 10 + n, id=f"order-{n}").code == 0
        pooled.eventually("consumers", "--app", "shop:app", until=settled)
        for url in (one, other):
            assert get(f"{url}/views/orders/order?order_id=2")["rows"][0]["total"] == 12
        found = pooled.eventually("doctor", "--app", "shop:app", until=is_caught_up)
        direct = pooled.tidings("doctor", "--app", "shop:app", "--json", TIDINGS_DATABASE_URL=postgres_url).json
    assert "PgBouncer stands in between, so no process is told of another's appends" in found["caution"]
    assert direct["caution"] is None
    assert [check["name"] for check in found["checks"] if not check["ok"]] == ["server"], "fsync is off"


def test_a_server_that_is_not_there_is_one_line_and_2(place: OnPostgres) -> None:
    nowhere = "postgresql://ann:s3cret@127.0.0.1:1/shop"
    for arguments in (("run", "shop:app"), ("log", "tail"), ("migrate", "status"), ("doctor",)):
        ended = place.tidings(*arguments, TIDINGS_DATABASE_URL=nowhere)
        assert (ended.code, ended.out) == (2, ""), ended
        assert len(ended.err.splitlines()) == 1
        assert "the database postgresql://127.0.0.1:1/shop cannot be reached now" in ended.err
        assert "s3cret" not in ended.err


def test_a_restart_of_the_server_is_503_and_then_all_goes_on(tmp_path: Path) -> None:
    with own(NEWEST) as server:
        place = OnPostgres(tmp_path, server.url("postgres"))
        process = place.begin("run", "shop:app", "--port", "0", "--json")
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            assert place.emit("1", 10, id="order-1").code == 0
            server.kill()
            assert place.emit("2", 20, id="order-2").code == 2
            server.start()
            assert place.emit("2", 20, id="order-2").code == 0
            place.eventually("consumers", "--app", "shop:app", until=settled)
            assert get(f"{url}/views/orders/order?order_id=2")["rows"][0]["total"] == 20
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=WRITE_SECONDS + 30)
        assert process.returncode == 0, err
        place.check(out + err)


async def test_applying_says_on_standard_error_for_whom_it_waits(place: OnPostgres, bare_postgres_url: str) -> None:
    assert place.tidings("migrate", "apply").code == 0
    connection = await asyncpg.connect(bare_postgres_url, server_settings={"application_name": "pgadmin"})
    try:
        async with connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
            applying = asyncio.create_task(asyncio.to_thread(place.tidings, "migrate", "apply", "--json"))
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND clock_timestamp() - waitstart > '4 s'"
            while not await connection.fetchval(waits):
                await asyncio.sleep(0.1)
        ended = await applying
    finally:
        await connection.close()
    assert (ended.code, ended.json["done"]) == (0, [])
    assert ended.err.startswith(f"tidings: waiting for process {connection.get_server_pid()} of the server (pgadmin)")
    assert ended.err.count("\n") == 1


def test_a_password_file_that_others_may_read_is_one_line_with_the_remedy(place: OnPostgres, tmp_path: Path) -> None:
    file = tmp_path / ".pgpass"
    file.write_text("*:*:*:*:secret\n")
    file.chmod(0o644)
    url = urlsplit(place.environment()["TIDINGS_DATABASE_URL"])
    without = url._replace(netloc=url.netloc.replace(f":{url.password}@", "@")).geturl()
    ended = place.tidings("migrate", "apply", HOME=str(tmp_path), TIDINGS_DATABASE_URL=without)
    said, refused = ended.err.splitlines()
    assert said == f"tidings: {file} is not read, since others than its owner may read it: chmod 600 {file}"
    assert "refuses the user" in refused
    assert ended.code == 2


@pytest.mark.parametrize(("written", "why"), [(None, "is not there"), ("no certificate", "holds no certificate")])
def test_a_root_certificate_that_cannot_be_read_is_named_in_one_line(
    place: OnPostgres, tmp_path: Path, written: str | None, why: str
) -> None:
    file = tmp_path / "root.pem"
    if written is not None:
        file.write_text(written)
    url = f"{place.environment()['TIDINGS_DATABASE_URL']}?sslmode=verify-full"
    for named in (
        place.tidings("migrate", "status", TIDINGS_DATABASE_URL=f"{url}&sslrootcert={file}"),
        place.tidings("migrate", "status", TIDINGS_DATABASE_URL=url, PGSSLROOTCERT=str(file)),
    ):
        [said] = named.err.splitlines()
        assert f"{file} {why}" in said
        assert (named.code, named.out) == (2, "")


async def test_a_service_that_is_new_after_events_were_removed_waits_to_be_told_and_is_listed(
    place: OnPostgres, bare_postgres_url: str
) -> None:
    assert place.emit("1", 10).code == 0
    connection = await asyncpg.connect(bare_postgres_url)
    await connection.execute("SELECT setval('tidings.position', 1 << 24)")
    await connection.execute("UPDATE tidings.head SET floor_pos = (1 << 24) - 1")
    await connection.execute("ALTER TABLE tidings.log DETACH PARTITION tidings.log_0 CONCURRENTLY")
    await connection.close()
    assert place.emit("2", 20).code == 0
    names = ["orders", "orders.order@1", "stock"]
    with place.serving() as url:
        place.eventually(
            "consumers",
            until=lambda found: {each["consumer"]: each["state"] for each in found} == dict.fromkeys(names, "expired"),
        )
        assert "expired: entries up to 16777215 were removed unread" in place.tidings("consumers").out
        assert place.tidings("consumers", "pause", "stock", "--reason", "we count").code == 0
        resumed = place.tidings("consumers", "resume", "stock")
        assert (resumed.code, resumed.out) == (
            0,
            "stock is not paused, but expired: events were removed that it had not read, and it reads nothing until "
            "`tidings consumers begin stock` is run\n",
        )
        for name in names:
            begun = place.tidings("consumers", "begin", name)
            assert (begun.code, begun.out) == (
                0,
                f"{name} begins after position 16777215, up to which nothing is kept; a process that carries it goes "
                "on within a minute\n",
            )
        place.eventually("consumers", "--app", "shop:app", until=settled)
        assert [row["order_id"] for row in get(f"{url}/views/orders/order")["rows"]] == ["2"]
        assert place.tidings("consumers", "begin", "stock").code == 1
