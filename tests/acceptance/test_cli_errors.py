"""What goes wrong ends in one line on standard error that says what to do, and in an exit code that means something."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.place import Ended, Place
from tidings.backends.sqlite.schema import APPLICATION_ID

DATA = '{"order_id": "1", "total": 1}'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An application with one event in its database."""
    place = Place(tmp_path_factory.mktemp("shop"))
    assert place.emit("1", 10, id="order-1").code == 0
    return place


def check(ended: Ended, code: int, told: str) -> None:
    assert ended.code == code, ended
    assert ended.out == ""
    assert ended.err.startswith("tidings: ")
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err
    assert told in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("fly",), 2, "there is no command 'fly' of tidings; there is"),
        (("log", "show", "web", "x"), 2, "there is no event 'x' of web;"),
        (("run", "ship:app"), 2, "there is no module 'ship' in"),
        (("run", "shop:app", "--host", "0.0.0.0"), 2, "TIDINGS_HOST"),
    ],
)
def test_wrong_use_is_one_line(place: Place, arguments: tuple[str, ...], code: int, told: str) -> None:
    check(place.tidings(*arguments), code, told)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    place = Place(tmp_path)
    check(place.tidings("consumers"), 2, "there is no database tidings.db with a log in it: `tidings run`")
    assert not (tmp_path / "tidings.db").exists()


def test_looking_into_another_programs_database_makes_nothing_in_it(place: Place) -> None:
    path = place.folder / "theirs.db"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE note (text)")
    check(
        place.tidings("log", "tail", TIDINGS_DATABASE_URL="sqlite:///theirs.db"), 2, "no database theirs.db with a log"
    )
    assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("note",)]
    theirs.close()


def test_a_file_that_is_no_database_is_refused(place: Place) -> None:
    (place.folder / "text.db").write_text("hello, this is a text, and longer than a header\n" * 20, "utf-8")
    check(place.tidings("dead", "list", TIDINGS_DATABASE_URL="sqlite:///text.db"), 2, "text.db cannot be used")


def test_a_folder_that_is_not_there_is_told(place: Place) -> None:
    ended = place.tidings("emit", "order-placed", DATA, "--app", "shop:app", TIDINGS_DATABASE_URL="sqlite:///no/x.db")
    check(ended, 2, "the database no/x.db cannot be opened now")


def test_a_database_of_a_newer_release_is_refused_with_the_command_to_run(place: Place) -> None:
    with sqlite3.connect(place.folder / "newer.db") as newer:
        newer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    ended = place.tidings("log", "tail", TIDINGS_DATABASE_URL="sqlite:///newer.db")
    check(ended, 2, "run `pip install --upgrade tidings`")


def test_a_database_in_memory_has_nothing_to_look_at(place: Place) -> None:
    check(place.tidings("consumers", TIDINGS_DATABASE_URL="sqlite:///:memory:"), 2, "only its own process can see")


def test_a_wrong_setting_is_named(place: Place) -> None:
    ended = place.tidings("consumers", TIDINGS_DATABSE_URL="x")
    check(ended, 2, "no setting TIDINGS_DATABSE_URL: did you mean TIDINGS_DATABASE_URL?")


def test_nobody_knows_whether_an_event_was_kept_while_another_holds_the_database(place: Place) -> None:
    connection = sqlite3.connect(place.folder / "tidings.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    given = place.emit("2", 20, id="order 2")
    made = place.emit("2", 20)
    connection.execute("ROLLBACK")
    connection.close()
    check(given, 3, "nobody knows whether it was kept: emit it again with --source /shop --id 'order 2' (")
    check(made, 3, "nobody knows whether it was kept: emit it again with --source /shop --id ")
    [id] = re.findall(r"--id ([0-9a-f-]{36}) ", made.err)
    assert place.emit("2", 20, id=id).json["id"] == id


def test_a_port_in_use_is_told(place: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        check(place.tidings("run", "shop:app", "--port", port), 2, f"cannot listen on 127.0.0.1 port {port}")


def test_bytes_that_are_no_text_are_refused(place: Place) -> None:
    check(place.tidings("log", "show", "web", "a\udcff"), 2, "is not UTF-8")


def test_letters_that_the_encoding_does_not_have_are_written_as_escapes(place: Place) -> None:
    ended = place.tidings("log", "show", "é", "x", PYTHONIOENCODING="ascii")
    check(ended, 2, r"there is no event 'x' of \xe9;")
    said = place.tidings("emit", "order-placed", DATA, "--id", "é", "--app", "shop:app", PYTHONIOENCODING="ascii")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(": /tidings/cli \\xe9\n")


def test_a_full_disk_behind_the_output_is_told(place: Place) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "tidings", "log", "tail"],
            cwd=place.folder,
            env=place.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    check(Ended(ended.returncode, "", ended.stderr), 2, "the system refused it: [Errno 28] No space left on device")


def test_ctrl_c_ends_a_server_in_order(place: Place) -> None:
    process = place.begin("run", "shop:app", "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("shop:app is at http://127.0.0.1:")
    assert line.endswith(", database tidings.db (Ctrl-C ends it)\n")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_ctrl_c_before_the_end_counts_as_unknown(place: Place) -> None:
    process = place.begin("emit", "order-placed", "-", "--app", "shop:app")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "is kept" not in err


def test_a_pipe_that_is_closed_is_no_fault(place: Place) -> None:
    process = place.begin("log", "tail", "--follow")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert place.emit("3", 30).code == 0
    assert process.wait(timeout=30) == 141
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_asking_for_the_version_as_an_option_is_answered_as_the_command_is(place: Place) -> None:
    asked = place.tidings("--version")
    assert asked.code == 0
    assert asked.out.startswith("tidings ")
    assert asked.out == place.tidings("version").out
