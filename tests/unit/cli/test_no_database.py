"""Where there is no database there is no answer: every command that needs one ends with 2, and makes none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer.main

from tests.acceptance.place import SHOP
from tests.house import reference
from tidings.cli import program

NEED_NONE = {
    "new",
    "run",
    "demo",
    "bench",
    "version",
    "emit",
    "keys add",
    "endpoints add",
    "config show",
    "receivers add",
}
NEED_NONE |= {"migrate status", "migrate plan", "migrate apply"}
NEED_NONE |= {"versions list", "versions show", "versions lock", "versions check"}
"""They make what they need, look at no database, or say that there is none."""
ASK = {
    "doctor": "",
    "consumers": "",
    "consumers begin": "stock",
    "consumers pause": "stock --reason x",
    "consumers resume": "stock",
    "log tail": "",
    "log show": "web 1",
    "log restored": "",
    "log replay": "stock --from-position 1",
    "views list": "",
    "views show": "orders.order",
    "views verify": "",
    "views rebuild": "orders.order",
    "dead list": "",
    "dead show": "stock 1",
    "dead redrive": "stock 1",
    "dead drop": "stock 1 --reason x",
    "dead drop-each": "--consumer stock --reason x",
    "deliveries list": "",
    "deliveries show": "a",
    "deliveries cancel": "a",
    "deliveries retry": "a",
    "listen": "a --to http://localhost:1/",
    "endpoints list": "",
    "endpoints show": "a",
    "endpoints change": "a --set rate=60",
    "endpoints remove": "a",
    "endpoints test": "a",
    "endpoints pause": "a --reason x",
    "endpoints resume": "a",
    "endpoints recover": "a",
    "endpoints replay": "a",
    "endpoints rotate": "a",
    "endpoints revoke": "a s1",
    "receivers list": "",
    "receivers show": "till",
    "receivers change": "till --set public_url=null",
    "receivers retire": "till",
    "receivers receipts": "till",
    "receivers receipt": "till 1",
    "receivers replay": "till 1",
    "receivers try": "till /dev/null",
    "receivers sign": "till /dev/null",
    "asof": "",
    "reconcile run": "till-orders",
    "reconcile plan": "till-orders",
    "reconcile approve": "till-orders x --at-most 1",
    "reconcile report": "till-orders",
    "versions census": "",
    "versions plan": "stock-placed --to 2",
    "versions may": "switch stock stock-placed 2",
    "versions open": "stock-placed 2",
    "versions close": "stock-placed 2 --reason x",
    "versions deprecate": "stock-placed 1 --sunset 2100-01-01 --migration https://example.org",
    "versions retire": "stock-placed 1",
    "versions forget": "stock",
    "versions export": "asyncapi docs",
    "keys list": "",
    "keys revoke": "a",
}


def test_every_command_is_among_them() -> None:
    there = {" ".join(path[1:]) for path, _ in reference.commands(typer.main.get_command(program.build()))}
    assert there == NEED_NONE | set(ASK)


@pytest.mark.parametrize("words", ASK)
def test_without_a_database_it_ends_with_2_and_makes_none(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TIDINGS_APP", "shop:app")
    monkeypatch.setenv("TIDINGS_DATABASE_URL", "sqlite:///other.db")
    sys.modules.pop("shop", None)
    code = program.run_with([*words.split(), *ASK[words].split()])
    sys.modules.pop("shop", None)
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err == (
        "tidings: there is no database other.db with a log in it: `tidings run` or `tidings migrate apply` makes it, "
        "or set TIDINGS_DATABASE_URL to another one\n"
    )
    assert not (tmp_path / "other.db").exists()
