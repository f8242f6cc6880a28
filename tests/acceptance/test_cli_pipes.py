"""A command whose reader has gone, as in `tidings log tail | head -1`, ends like any other filter of Unix."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.acceptance.place import Place

GONE = 141


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An application with two orders."""
    place = Place(tmp_path_factory.mktemp("shop"))
    for order in ("1", "2"):
        assert place.emit(order, 10, id=f"order-{order}").code == 0
    return place


def unread(place: Place, *arguments: str) -> tuple[int, bytes]:
    """Run it with a pipe for its output that nobody reads; return its exit code, and what it says on standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "tidings", *arguments]
        environ = place.environment()
        ended = subprocess.run(
            command, cwd=place.folder, env=environ, stdout=writing, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(writing)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.parametrize(
    "arguments",
    [
        ("log", "tail"),
        ("log", "tail", "--follow"),
        ("log", "show", "/shop", "order-1"),
        ("consumers",),
        ("views", "list", "--app", "shop:app"),
        ("config", "show"),
        ("doctor",),
        ("version",),
    ],
)
def test_who_stops_reading_ends_the_command_as_sigpipe_would(
    place: Place, arguments: tuple[str, ...], as_json: tuple[str, ...]
) -> None:
    assert unread(place, *arguments, *as_json) == (GONE, b"")


@pytest.mark.parametrize("arguments", [("--help",), ("log", "tail", "--help")])
def test_help_that_nobody_reads_ends_likewise(place: Place, arguments: tuple[str, ...]) -> None:
    assert unread(place, *arguments) == (GONE, b"")


def test_a_pipeline_that_takes_the_first_line_alone_shows_no_trouble(place: Place) -> None:
    script = f'{sys.executable} -m tidings log tail --follow --json | head -1; echo "${{PIPESTATUS[0]}}"'
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=place.folder,
        env=place.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert '"order-1"' in process.stdout.readline()
        for order in ("3", "4"):  # the first of them may come before `head` has gone
            assert place.emit(order, 10, id=f"order-{order}").code == 0
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (out, err) == (f"{GONE}\n", "")
