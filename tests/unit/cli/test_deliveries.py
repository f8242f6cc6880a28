"""What became of calls to the outside can be seen, and a dead one can be made again."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from tidings.backends.sqlite import open_sqlite
from tidings.cli.program import run_with
from tidings.ports import Ports
from tidings.store.deliveries import Delivery
from tidings.store.reason import Reason


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One delivery that was given up, `k-1`, and one that waits, `k-2`."""
    monkeypatch.setenv("TIDINGS_DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")

    async def fill() -> None:
        opened = open_sqlite(str(tmp_path / "x.db"), Ports())
        async with opened.store.unit() as unit:
            await unit.intend(
                [Delivery(key=key, service="shop", function="mail", payload=b"1") for key in ("k-1", "k-2")]
            )
        [claimed] = await opened.store.claim_deliveries(
            owner="one", services=["shop"], limit=1, ttl=timedelta(seconds=60)
        )
        await opened.store.settle_delivery(claimed, Reason(kind="handler-failed", error="OSError: no", next_at=None))
        await opened.close()

    asyncio.run(fill())


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str, str | None]]:
    assert run_with(["deliveries", "list", *arguments, "--json"]) == 0
    return [(each["key"], each["state"], each["error"]) for each in json.loads(capsys.readouterr().out)]


def test_a_dead_delivery_is_listed_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys) == [("k-1", "dead", "OSError: no"), ("k-2", "due", None)]
    assert listed(capsys, "--state", "dead") == [("k-1", "dead", "OSError: no")]
    assert listed(capsys, "--limit", "1") == [("k-1", "dead", "OSError: no")]


def test_deliveries_are_found_by_when_they_were_intended(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["deliveries", "list", "--limit", "1", "--json"]) == 0
    [first] = json.loads(capsys.readouterr().out)
    intended = first["intended"]
    assert [key for key, _, _ in listed(capsys, "--from", intended)] == ["k-1", "k-2"]
    assert listed(capsys, "--to", intended) == []
    assert listed(capsys, "--from", "2999-01-01T00:00:00+02:00") == []
    assert [key for key, _, _ in listed(capsys, "--from", "2026-05-04T10:00:00Z", "--to", "2999-01-01T00:00:00Z")] == [
        "k-1",
        "k-2",
    ]
    for option in ("--from", "--to"):
        assert run_with(["deliveries", "list", option, "yesterday"]) == 2
        assert f"{option}: expected an RFC 3339 timestamp" in capsys.readouterr().err


def test_a_dead_delivery_is_retried(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["deliveries", "retry", "k-1", "--json"]) == 0
    retried = json.loads(capsys.readouterr().out)
    assert (retried["key"], retried["state"]) == ("k-1", "due")
    assert [state for _, state, _ in listed(capsys)] == ["due", "due"]
    assert run_with(["deliveries", "retry", "k-1"]) == 0
    assert run_with(["deliveries", "cancel", "k-1"]) == 0
    capsys.readouterr()
    assert run_with(["deliveries", "retry", "k-1"]) == 1
    assert "k-1' is cancelled: there is nothing to retry" in capsys.readouterr().err


def test_a_delivery_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["deliveries", "retry", "k-9"]) == 2
    assert "there is no delivery 'k-9'" in capsys.readouterr().err


def test_a_delivery_is_shown_with_its_attempts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["deliveries", "show", "k-1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    delivery, [attempt] = shown["delivery"], shown["attempts"]
    assert (delivery["key"], delivery["state"], "payload" in delivery) == ("k-1", "dead", False)
    assert (attempt["attempt"], attempt["outcome"], attempt["error"]) == (1, "handler-failed", "OSError: no")
    assert run_with(["deliveries", "show", "k-1"]) == 0
    assert "handler-failed" in capsys.readouterr().out
    assert run_with(["deliveries", "show", "k-9"]) == 2
    assert "there is no delivery 'k-9'" in capsys.readouterr().err


def test_a_delivery_is_cancelled_and_not_called_any_more(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert run_with(["deliveries", "cancel", "k-2", "--reason", "by phone", "--json"]) == 0
        cancelled = json.loads(capsys.readouterr().out)
        assert (cancelled["key"], cancelled["state"]) == ("k-2", "cancelled")
    assert listed(capsys, "--state", "cancelled") == [("k-2", "cancelled", None)]
    assert [key for key, _, _ in listed(capsys, "--service", "shop", "--function", "mail")] == ["k-1", "k-2"]
    assert run_with(["deliveries", "cancel", "k-9"]) == 2
    assert "there is no delivery 'k-9'" in capsys.readouterr().err


def test_a_service_or_an_endpoint_that_there_is_not_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for option, told in (
        ("--service", "there is no service 'shp'; there is shop: did you mean shop"),
        ("--endpoint", "there is no endpoint 'shp'; there is none"),
    ):
        assert run_with(["deliveries", "list", option, "shp"]) == 2
        assert told in capsys.readouterr().err
    assert listed(capsys, "--service", "shop", "--function", "mail", "--state", "delivered") == []
