"""The console of a server that was started by hand."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.acceptance.place import Place


def test_the_server_says_where_its_console_is_and_it_is_there(tmp_path: Path) -> None:
    place = Place(tmp_path)
    process = place.begin("run", "shop:app", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["console"] == said["url"] + "/console"
        with urlopen(said["console"]) as page:
            assert b"<h1>Overview</h1>" in page.read()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_server_without_a_console_names_none_and_answers_as_for_any_path_there_is_not(tmp_path: Path) -> None:
    place = Place(tmp_path)
    process = place.begin("run", "shop:app", "--port", "0", TIDINGS_CONSOLE="off")
    try:
        assert process.stdout is not None
        assert "console" not in process.stdout.readline()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_several_workers_have_no_console_since_a_form_would_come_back_to_another_of_them(tmp_path: Path) -> None:
    place = Place(tmp_path)
    process = place.begin("run", "shop:app", "--port", "0", "--json", "--workers", "2")
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["console"] is None
        with pytest.raises(HTTPError, match="404") as refused:
            urlopen(said["url"] + "/console")
        refused.value.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)
