from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from tidings.api import reached as module
from tidings.api.reached import Reached


@dataclass(frozen=True)
class Stood:
    position: int


class View:
    """Something that stands at a position, and counts who looks."""

    def __init__(self) -> None:
        self.position = 0
        self.looks = 0
        self.error: Exception | None = None

    async def look(self) -> Stood:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return Stood(self.position)


@pytest.fixture(autouse=True)
def never_unless_stirred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOONEST", 1_000.0)
    monkeypatch.setattr(module, "LATEST", 1_000.0)
    monkeypatch.setattr(module, "DOZE_LEAST", 0.0)
    monkeypatch.setattr(module, "DOZE_MOST", 0.0)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_only_those_are_woken_who_are_there_and_one_look_serves_all() -> None:
    view = View()
    reached = Reached(view.look)
    waits = [reached.until(position) for position in range(1, 1_001)]
    await settled()
    view.position = 10
    reached.stir()
    await settled()
    assert [wait.done() for wait in waits] == [True] * 10 + [False] * 990
    assert view.looks == 1


async def test_a_move_during_a_look_is_looked_at_again() -> None:
    view = View()
    reached = Reached(view.look)

    async def look() -> Stood:
        stood = await view.look()
        if stood.position == 0:
            view.position = 1
            reached.stir()
        return stood

    reached = Reached(look)
    wait = reached.until(1)
    reached.stir()
    await settled()
    assert wait.done()
    assert view.looks == 2


async def test_who_begins_to_wait_later_is_waited_for_too() -> None:
    view = View()
    reached = Reached(view.look)
    view.position = 1
    for _ in range(3):
        wait = reached.until(1)
        reached.stir()
        await settled()
        assert wait.done()


async def test_an_error_of_a_look_is_everybodys_and_the_next_wait_looks_anew() -> None:
    view = View()
    reached = Reached(view.look)
    waits = [reached.until(1), reached.until(2)]
    view.error = ValueError("broken")
    reached.stir()
    await settled()
    assert [str(wait.exception()) for wait in waits] == ["broken", "broken"]
    view.error, view.position = None, 1
    wait = reached.until(1)
    reached.stir()
    await settled()
    assert wait.result() == Stood(1)


async def test_nobody_looks_for_those_who_left() -> None:
    view = View()
    reached = Reached(view.look)
    reached.until(1).cancel()
    reached.stir()
    await settled()
    reached.stir()
    await settled()
    assert view.looks == 1


async def test_without_being_told_it_looks_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOONEST", 0.0)
    monkeypatch.setattr(module, "LATEST", 0.0)
    view = View()
    wait = Reached(view.look).until(1)
    while view.looks < 3:
        await asyncio.sleep(0)
    view.position = 1
    await wait


async def test_moves_are_let_pass_while_nobody_is_near_and_whoever_comes_is_looked_for_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DOZE_LEAST", 1_000.0)
    monkeypatch.setattr(module, "DOZE_MOST", 1_000.0)
    view = View()
    reached = Reached(view.look)
    reached.until(1_000)
    for view.position in range(1, 50):
        reached.stir()
        await settled()
    assert view.looks == 1
    near = reached.until(40)
    await settled()
    assert near.result() == Stood(49)
