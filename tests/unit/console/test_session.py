from __future__ import annotations

import random

from tidings.console.session import IDLE_SECONDS, KEYS_MAX, Sessions
from tidings.ports import Ports, SystemClock


class StillClock(SystemClock):
    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


def sessions(clock: StillClock | None = None) -> Sessions:
    return Sessions(Ports(clock=clock or StillClock(), random=random.SystemRandom()))


def test_a_name_is_kept_if_it_is_one_of_ours_and_made_anew_if_it_is_not() -> None:
    made = sessions()
    name = made.named(None)
    assert made.named(name) == name
    assert len({made.named(other) for other in (None, "", "x", name.upper() + "g", name + "0")}) == 5


def test_a_token_is_good_for_its_own_name_and_server() -> None:
    made, other = sessions(), sessions()
    name, foreign = made.named(None), made.named(None)
    assert made.is_token(name, made.token(name))
    assert not made.is_token(foreign, made.token(name))
    assert not other.is_token(name, made.token(name))
    assert not made.is_token(name, "ü")


def test_what_was_sealed_for_one_browser_is_nothing_for_another() -> None:
    made = sessions()
    sealed = made.seal("a", "Done: “ü”.")
    assert made.unseal("a", sealed) == "Done: “ü”."
    for name, value in (("b", sealed), ("a", sealed[:-1]), ("a", "." + sealed), ("a", ""), ("a", None), ("a", "x.é")):
        assert made.unseal(name, value) is None


def test_a_key_is_forgotten_after_a_day_without_a_page() -> None:
    clock = StillClock()
    made = sessions(clock)
    name = made.begin("td_key")
    clock.now += IDLE_SECONDS - 1
    assert made.key_of(name) == "td_key"
    clock.now += IDLE_SECONDS - 1
    assert made.key_of(name) == "td_key"
    clock.now += IDLE_SECONDS + 1
    assert made.key_of(name) is None
    assert made.key_of(None) is None
    assert made.key_of("td_key") is None


def test_no_more_keys_are_held_than_was_promised() -> None:
    made = sessions()
    first, second = made.begin("first"), made.begin("second")
    assert made.key_of(first) == "first"
    for _ in range(KEYS_MAX - 1):
        made.begin("other")
    assert made.key_of(first) == "first"
    assert made.key_of(second) is None
    made.end(first)
    assert made.key_of(first) is None
