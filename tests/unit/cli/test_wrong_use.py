"""Wrong use ends in one line on standard error, in the caller's words, and in an exit code that means something."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.core import TyperGroup

from tests.acceptance.place import SHOP
from tidings.cli import exits, program
from tidings.errors import RefusedError

DATA = '{"order_id": "1", "total": 1}'


VERBS = [
    ("run",),
    ("emit",),
    ("consumers",),
    ("demo",),
    ("version",),
    ("log", "tail"),
    ("log", "show"),
    ("log", "replay"),
    ("views", "list"),
    ("views", "show"),
    ("views", "verify"),
    ("views", "rebuild"),
    ("dead", "list"),
    ("dead", "show"),
    ("dead", "redrive"),
    ("dead", "drop"),
    ("config", "show"),
]


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


class Shell:
    """Runs the command line in this process, in a folder with an application and a database of one event."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def tidings(self, *arguments: str) -> Ended:
        self._capsys.readouterr()
        code = program.run_with(arguments)
        said = self._capsys.readouterr()
        return Ended(code, said.out, said.err)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("COLUMNS", "200")
    made = Shell(tmp_path, capsys)
    assert made.tidings("emit", "order-placed", DATA, "--id", "1", "--app", "shop:app").code == 0
    yield made
    for name in ("shop", "broken"):
        sys.modules.pop(name, None)


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
        (("fly",), 2, "there is no command 'fly' of tidings; there is asof"),
        (("consumers", "list"), 2, "there is begin, pause, resume; `tidings consumers` itself shows them"),
        (("log",), 2, "Missing command: tail, show, replay, restored (see `tidings log --help`)"),
        (("log", "show", "web"), 2, "ID is missing: type `tidings log show SOURCE ID` (see `tidings log show --help`)"),
        (("log", "tail", "--limit", "0"), 2, "Invalid value for '--limit': it must be 1 or more, not 0 (see"),
        (("log", "tail", "--limit", "200000"), 2, "'--limit': it must be 100,000 or less, not 200000 (see"),
        (("log", "tail", "--limit", "few"), 2, "Invalid value for '--limit': 'few' is not a whole number (see"),
        (("dead", "list", "--state", "ill"), 2, "'--state': 'ill' is not one of 'retrying', 'dead' (see"),
        (("dead", "list", "--consumer", "order"), 2, "no consumer 'order'; there is orders.order@1"),
        (("dead", "list", "--reason", "failed"), 2, "no reason 'failed'; there is address-refused, exhausted"),
        (("dead", "redrive", "order", "--all"), 2, "no consumer 'order'; there is orders.order@1"),
        (("dead", "redrive", "--all", "--reason", "failed"), 2, "no reason 'failed'"),
        (("dead", "drop", "stock", "1", "--reason", "x", "--position", str(2**63)), 2, "it must be 9,223,"),
        (("log", "replay", "stock", "--from-position", "0", "--app", "shop:app"), 2, "it must be 1 or more"),
        (
            ("log", "replay", "stock", "--from-position", "first", "--app", "shop:app"),
            2,
            "--from-position: 'first' is neither a position's number nor its token",
        ),
        (("listen", "nope", "--to", "http://localhost:1/"), 2, "there is no endpoint 'nope'"),
        (("log", "replay", "orders.order@1", "--from-position", "1", "--app", "shop:app"), 1, "rebuild orders.order`"),
        (("log", "show", "web", "x"), 2, "there is no event 'x' of web; look for it among"),
        (("log", "replay", "stock", "--app", "shop:app"), 2, "Give --from-position N or --from-time T"),
        (("log", "replay", "stock", "--from-time", "soon", "--app", "shop:app"), 2, "RFC 3339"),
        (("log", "replay", "gone", "--from-position", "1", "--app", "shop:app"), 2, "no consumer 'gone'; there is"),
        (("log", "replay", "stok", "--from-position", "1", "--app", "shop:app"), 2, ": did you mean stock?"),
        (
            ("log", "tail", "--type", "order-place", "--app", "shop:app"),
            2,
            "'order-place'; there is order-noted, order-",
        ),
        (("log", "tail", "--follow", "--type", "order-placed", "--type", "x", "--app", "shop:app"), 2, "no event type"),
        (("consumers", "pause", "stok", "--reason", "x", "--app", "shop:app"), 2, ": did you mean stock?"),
        (("consumers", "resume", "orders.order", "--app", "shop:app"), 2, ": did you mean orders.order@1?"),
        (("log", "replay", "stock", "--from-position", "1"), 2, "which application? Give --app"),
        (("emit", "order-placed", DATA), 2, "which application? Give --app MODULE:ATTRIBUTE, or set TIDINGS_APP"),
        (("emit", "order-placed", "{", "--app", "shop:app"), 2, "the JSON cannot be read"),
        (("emit", "order-placed", "{}", "--app", "shop:app"), 2, "/order_id"),
        (("emit", "order-lost", DATA, "--app", "shop:app"), 2, "there is no event type 'order-lost'; there is"),
        (("emit", "order-placed", DATA, "--time", "now", "--app", "shop:app"), 2, "RFC 3339"),
        (("views", "show", "orders.none"), 2, "no view 'orders.none'; there is orders.order"),
        (("views", "show", "order.order"), 2, "there is orders.order: did you mean orders.order?"),
        (
            ("views", "show", "orders.lost", "--app", "shop:app"),
            2,
            "orders.last, orders.order: did you mean orders.last?",
        ),
        (("views", "verify", "orders.oder", "--app", "shop:app"), 2, ": did you mean orders.order?"),
        (("views", "show", "orders.order", "red"), 2, "'red' is not COLUMN=VALUE; there is order_id, total"),
        (("views", "show", "orders.order", "order=1"), 2, "no column 'order'; there is order_id, total: did you mean"),
        (("views", "show", "orders.order", "total=red"), 2, "'red' is not a whole number"),
        (("views", "show", "orders.last", "--app", "shop:app"), 1, "give its key, order_id=…"),
        (("views", "verify"), 2, "which application?"),
        (("views", "rebuild", "orders.none", "--app", "shop:app"), 2, "no view 'orders.none'; there is orders.last"),
        (("views", "rebuild", "orders.last", "--app", "shop:app"), 1, "cannot be rebuilt"),
        (("dead", "show", "stock", "1"), 2, "there is no consumer 'stock'; there is orders.order@1"),
        (("dead", "redrive"), 2, "redrive what?"),
        (("dead", "drop", "stock", "1", "--reason", "x"), 2, "there is no consumer 'stock'"),
        (("dead", "redrive", "orders.order@1", "1"), 2, "no parked subject '1' of orders.order@1; look for it among"),
        (
            ("dead", "drop", "stock", "1"),
            2,
            "--reason REASON is missing: type `tidings dead drop CONSUMER|NAME --reason REASON`",
        ),
        (("dead", "drop", "stock", "1", "--reason", " "), 2, "say why"),
        (("dead", "drop", "stock", "1", "--reason", "x", "--all", "--position", "1"), 2, "not both"),
        (("run",), 2, "Write `tidings run MODULE:ATTRIBUTE`, or set TIDINGS_APP"),
        (("run", "shop"), 2, "MODULE:ATTRIBUTE"),
        (("run", "ship:app"), 2, "there is no module 'ship' in"),
        (("run", "shop:ap"), 2, "shop has no attribute 'ap': did you mean shop:app?"),
        (("run", "shop:orders"), 2, "shop:orders is a Service, not a tidings.App: did you mean shop:app?"),
        (("run", "shop:app.views"), 2, "MODULE:ATTRIBUTE"),
        (("run", "shop:app", "--port", "70000"), 2, "from 0 to 65,535"),
        (("demo", "--events", "1"), 2, "'--events'"),
    ],
)
def test_wrong_use_is_one_line(shell: Shell, arguments: tuple[str, ...], code: int, told: str) -> None:
    check(shell.tidings(*arguments), code, told)


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--type", "order-place"),
            "there is no event type 'order-place'; there is order-placed: did you mean order-placed?",
        ),
        (
            ("--type", "x", "--type", "order-placed"),
            "there is no event type 'x'; there is order-placed (as far as the log and",
        ),
        (("--source", "/tiding/cli"), "nothing that the source '/tiding/cli' says is kept here"),
        (("--subject", "2"), "nothing about the subject '2' is kept here"),
    ],
)
def test_a_name_in_a_filter_that_nothing_has_is_a_warning(
    shell: Shell, arguments: tuple[str, ...], told: str, more: tuple[str, ...]
) -> None:
    ended = shell.tidings("log", "tail", *arguments, *more)
    assert (ended.code, ended.err.count("\n")) == (0, 1)
    assert ended.err.startswith(f"tidings: {told}")
    assert ended.out.count("\n") == 1


def test_a_filter_that_finds_nothing_though_its_names_are_known_is_no_warning(shell: Shell) -> None:
    ended = shell.tidings("log", "tail", "--type", "order-placed", "--source", "/tidings/cli", "--app", "shop:app")
    assert (ended.code, ended.out.count("\n"), ended.err) == (0, 1, "")
    assert shell.tidings("log", "tail", "--type", "order-noted", "--app", "shop:app").out == "no entry matches\n"


def test_a_type_that_only_the_log_has_is_shown(shell: Shell) -> None:
    other = SHOP.replace("order-placed", "order-made")
    (shell.folder / "broken.py").write_text(other, "utf-8")
    for more in (("--app", "broken:app"), ()):
        ended = shell.tidings("log", "tail", "--type", "order-placed", *more)
        assert (ended.code, ended.out.count("\n"), ended.err) == (0, 1, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nowhere\n", "broken.py, line 1): ModuleNotFoundError: No module named 'nowhere'"),
        ("x = 1\nraise ValueError('two\\nlines')\n", "broken.py, line 2): ValueError: two lines"),
        ("def f(:\n", "broken.py, line 1): SyntaxError"),
        ("import sys\nsys.exit(0)\n", "broken.py, line 2): SystemExit: 0"),
        ("from tidings import Service\n\nService('Not a name')\n", "broken.py, line 3): 'Not a name' is no name"),
    ],
)
def test_an_application_that_cannot_be_imported_is_told_by_its_line(shell: Shell, text: str, told: str) -> None:
    (shell.folder / "broken.py").write_text(text, "utf-8")
    check(shell.tidings("run", "broken:app"), 2, told)


def test_what_is_no_application_is_never_suggested_itself(shell: Shell) -> None:
    (shell.folder / "broken.py").write_text("app = 5\napp_ = 6\n", "utf-8")
    check(shell.tidings("run", "broken:app"), 2, "broken:app is an int, not a tidings.App: write `app = App(…)` in it")


def test_data_from_a_standard_input_that_is_closed_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    check(shell.tidings("emit", "order-placed", "-", "--app", "shop:app"), 2, "standard input is closed: give the JSON")


def test_a_refusal_of_the_system_is_told_as_one(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(program, "version", full)
    ended = shell.tidings("full")
    check(ended, exits.FAILED, "the system refused it: [Errno 28] No space left on device")
    assert "report" not in ended.err


def test_what_is_interrupted_counts_as_unknown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "version", interrupted)
    check(shell.tidings("interrupted"), exits.UNKNOWN, "stopped before it was done")


def test_what_is_interrupted_while_it_is_read_counts_as_unknown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TyperGroup, "parse_args", interrupted)
    check(shell.tidings("version"), exits.UNKNOWN, "stopped before it was done")


def test_where_nobody_can_be_told_the_code_still_says_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert shell.tidings("log", "show", "web", "x").code == exits.FAILED


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("TIDINGS_PORT", "http", "must be a whole number from 0 to 65,535"),
        ("TIDINGS_APP", "shop", "MODULE:ATTRIBUTE"),
    ],
)
def test_a_wrong_setting_is_named(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    check(shell.tidings("consumers"), 2, told)


@pytest.mark.parametrize(
    ("text", "told"),
    [(b"port = ", "cannot be read"), (b"\xff", "cannot be read"), (b"prot = 1", "did you mean port?")],
)
def test_a_wrong_file_of_settings_is_named(shell: Shell, text: bytes, told: str) -> None:
    (shell.folder / "tidings.toml").write_bytes(text)
    check(shell.tidings("config", "show"), 2, told)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_with_an_example(shell: Shell, verb: tuple[str, ...]) -> None:
    ended = shell.tidings(*verb, "--help")
    assert ended.code == 0
    assert f"Example: {'TIDINGS_PORT=9000 ' if verb[0] == 'config' else ''}tidings {' '.join(verb)}" in ended.out
    assert "--json" in ended.out
    assert "<bool>" not in ended.out


def test_without_a_word_the_help_is_shown(shell: Shell) -> None:
    ended = shell.tidings()
    assert ended.code == 0
    assert "Usage: tidings" in ended.out
    assert "<bool>" not in ended.out


def test_an_error_among_tasks_is_told_as_itself(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise ExceptionGroup("tasks", [ExceptionGroup("inner", [RefusedError("it is paused")])])

    monkeypatch.setattr(program, "version", refused)
    check(shell.tidings("refused"), exits.NO, "it is paused")


def test_what_nobody_foresaw_is_one_line_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(program, "version", broken)
    check(shell.tidings("broken"), exits.FAILED, "unexpected ZeroDivisionError: division by zero (please report it")
