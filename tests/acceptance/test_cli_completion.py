"""Completion in the shell, as bash asks for it: commands, options, and the names that the database has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.place import Place

BASH = shutil.which("bash") or "bash"
SHOWN = 'eval "$(tidings --show-completion)"'
INSTALLED = '. "$HOME/.bashrc"'
ASK = """
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tidings_completion tidings
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An application whose server has run, so that its consumers and tables are known; its module is broken since."""
    place = Place(tmp_path_factory.mktemp("shop"))
    with place.serving():
        place.eventually("consumers", "--app", "shop:app", until=lambda found: len(found) == 3)
    (place.folder / "shop.py").write_text("raise SystemExit('it is imported')", "utf-8")
    (place.folder / "tidings.toml").write_text('app = "shop:app"', "utf-8")
    return place


def bash(folder: Path, script: str, *words: str) -> str:
    """Return what bash prints, at home in this folder, when it runs the script with these arguments."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    own |= {"PATH": f"{Path(sys.executable).parent}:{own['PATH']}", "HOME": str(folder)}
    command = [BASH, "--norc", "-c", script, "bash", *words]
    ended = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("lo",), ["log"]),
        (("log", ""), ["tail", "show", "replay", "restored"]),
        (("log", "tail", "--ty"), ["--type"]),
        (("log", "tail", "--type", "order-p"), ["order-placed"]),
        (("emit", "or"), ["order-placed"]),
        (("consumers", "pause", ""), ["orders", "orders.order@1", "stock"]),
        (("consumers", "resume", "sto"), ["stock"]),
        (("log", "replay", "st"), ["stock"]),
        (("dead", "show", "st"), ["stock"]),
        (("views", "rebuild", ""), ["orders.order"]),
        (("run", "shop:app", "--service", ""), ["orders", "stock"]),
    ],
)
def test_what_is_begun_is_offered_whole(place: Place, words: tuple[str, ...], names: list[str]) -> None:
    assert bash(place.folder, SHOWN + ASK, "tidings", *words).split() == names


def test_where_there_is_no_database_no_name_is_offered_and_none_is_made(tmp_path: Path) -> None:
    assert bash(tmp_path, SHOWN + ASK, "tidings", "consumers", "pause", "") == "\n"
    assert list(tmp_path.iterdir()) == []


def test_completion_is_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    assert "bash completion installed in" in bash(tmp_path, "tidings --install-completion; true")
    assert bash(tmp_path, INSTALLED + ASK, "tidings", "lo") == "log\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_answered_in_its_own_words(place: Place, shell: str) -> None:
    asked = {"COMP_WORDS": "tidings lo", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "tidings lo"}
    more = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"} if shell == "fish" else {}
    ended = place.tidings(**asked, **more, _TIDINGS_COMPLETE=f"complete_{shell}")
    assert (ended.code, ended.err) == (0, "")
    assert "log" in ended.out
