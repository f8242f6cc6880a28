from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime

import pytest
from rich.console import Console

from tidings.cli.output import Branch, Output
from tidings.operations.progress import unwatched


def test_rows_are_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).rows([{"a_name": "[x]", "n": 1_000}, {"a_name": None, "n": 2}], empty="none")
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["a", "name", "n"],
        ["[x]", "1,000"],
        ["-", "2"],
    ]


def test_rows_are_an_array_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).rows([{"name": "é", "at": datetime(2026, 1, 1, tzinfo=UTC)}], empty="none")
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == [{"name": "é", "at": "2026-01-01 00:00:00+00:00"}]


def test_no_rows_are_said_or_an_empty_array(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).rows([], empty="nothing is parked")
    assert capsys.readouterr().out == "nothing is parked\n"
    Output(as_json=True).rows([], empty="nothing is parked")
    assert json.loads(capsys.readouterr().out) == []


def test_a_wide_row_stays_on_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).rows([{"error": "x" * 500, "subject": "y"}], empty="none")
    assert "x" * 500 in capsys.readouterr().out


def test_json_of_any_length_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).json({"data": "[bold]" + "z" * 20_000})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)["data"].startswith("[bold]z")


def test_progress_is_not_drawn_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(as_json=False).progress() as progress:
        progress("rebuilding", 1, 2)
        assert progress is unwatched
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_sentences_are_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).say("done")
    assert capsys.readouterr().out == ""
    Output(as_json=False).say("[done] :smile:")
    assert capsys.readouterr().out == "[done] :smile:\n"


def test_what_comes_from_outside_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).rows([{"error": "a\x1b[2Jb\x9b"}], empty="none")
    out = capsys.readouterr().out
    assert "a\\u001b[2Jb\\u009b" in out
    assert "\x1b" not in out


HIDDEN = "a\x7f\x9b\u2028\u202eb\u200b\U000e0041\ud800"
WRITTEN = r"a\u007f\u009b\u2028\u202eb\u200b\U000e0041\ud800"


def test_what_hides_or_reorders_text_is_written_out_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.say(HIDDEN)
    output.rows([{HIDDEN: HIDDEN}], empty="none", as_named=True)
    output.fields({"data": {"x": HIDDEN}})
    output.tree(HIDDEN, [Branch(HIDDEN, ())])
    output.warn(HIDDEN)
    said = capsys.readouterr()
    assert (said.out + said.err).count(WRITTEN) == 7
    assert all(each.isprintable() or each == "\n" for each in said.out + said.err)


def test_what_hides_or_reorders_text_is_escaped_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).json({HIDDEN: HIDDEN + "é\n"})
    out = capsys.readouterr().out
    assert all(each.isprintable() or each == "\n" for each in out)
    assert json.loads(out) == {HIDDEN: HIDDEN + "é\n"}


def test_names_are_folded_where_there_is_no_room_and_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(as_json=False)
    output.console = Console(width=20, file=sys.stdout)
    output.rows([{"name": f"bookmarks.view_{n}", "other": "x" * 30} for n in range(2)], empty="none")
    output.fields({"name": "bookmarks.view_2", "other": "y" * 30})
    out = capsys.readouterr().out
    assert "…" not in out
    assert (out.count("x"), out.count("y")) == (60, 30)


def test_json_for_an_encoding_without_all_letters_is_escaped_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii", errors="backslashreplace"))
    Output(as_json=True).json({"name": "é"})
    assert json.loads(raw.getvalue()) == {"name": "é"}


class Terminal(Output):
    """Sixty columns that somebody looks at."""

    def __init__(self) -> None:
        super().__init__(as_json=False)
        self.console = Console(file=io.StringIO(), force_terminal=True, no_color=True, width=60, soft_wrap=True)

    @property
    def lines(self) -> list[str]:
        assert isinstance(self.console.file, io.StringIO)
        plain = re.sub("\x1b\\[[0-9;]*m", "", self.console.file.getvalue())
        return [line.rstrip() for line in plain.splitlines()]


def test_a_table_that_does_not_fit_is_shown_row_by_row() -> None:
    terminal = Terminal()
    rows = [
        {"consumer": f"bookmarks.bookmark@{n}", "its_state": "running for a while", "why": "y" * 30} for n in (1, 2)
    ]
    terminal.rows(rows, empty="none")
    first = ["consumer   bookmarks.bookmark@1", "its state  running for a while", f"why        {'y' * 30}"]
    assert terminal.lines == [*first, "", first[0].replace("@1", "@2"), *first[1:]]


def test_a_table_of_which_one_column_folds_stays_a_table() -> None:
    terminal = Terminal()
    terminal.rows([{"check": "disk", "found": "there is little room left " * 4}], empty="none")
    assert terminal.lines[0] == "check  found"
    assert len(terminal.lines) == 3


def test_a_tree_is_not_cut_at_the_edge() -> None:
    terminal = Terminal()
    terminal.tree("all", [Branch("x" * 70, (Branch("y" * 70, ()),))])
    assert terminal.lines == ["all", f"└── {'x' * 70}", f"    └── {'y' * 70}"]


def test_no_line_of_a_pipe_ends_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.rows([{"a": "x", "b": "long one"}, {"a": "x", "b": "y"}], empty="none")
    output.fields({"a": "x", "b": "long one"})
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["a  b", "x  long one", "x  y", "a  x", "b  long one"]


def test_a_users_own_names_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).rows([{"order_id": "7"}], empty="none", as_named=True)
    assert capsys.readouterr().out == "order_id\n7\n"
