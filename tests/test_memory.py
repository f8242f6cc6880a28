"""Temporary files lie in memory where there is room, and where TMPDIR says if it says so."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests import memory


@pytest.fixture(autouse=True)
def _nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)
    monkeypatch.setenv("TMPDIR", "")  # so that it is put back whatever is set meanwhile
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(memory, "ROOM", 0)


def test_temporary_files_lie_where_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MEMORY", tmp_path)
    memory.move_in()
    assert (os.environ["TMPDIR"], tempfile.gettempdir()) == (str(tmp_path), str(tmp_path))


@pytest.mark.parametrize("room", [0, 1 << 60])
def test_they_stay_where_they_were_if_there_is_no_room_or_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(memory, "MEMORY", tmp_path if room else tmp_path / "none")
    monkeypatch.setattr(memory, "ROOM", room)
    memory.move_in()
    assert "TMPDIR" not in os.environ


def test_who_names_a_folder_is_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "memory")
    (tmp_path / "memory").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    memory.move_in()
    assert os.environ["TMPDIR"] == str(tmp_path)
