"""What whoever appends is told: as it is, brought down to an open version, or refused."""

from __future__ import annotations

import pytest

from tidings import downcaster, event
from tidings.conformance.store_harness import StillClock
from tidings.errors import LogUnavailableError, UnknownTypeError, VersionNotOpenError
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.store.versions import EventVersion, Gate
from tidings.versions.gatekeeper import FRESH_SECONDS, Gatekeeper
from tidings.versions.gates import Gates, gates_of
from tidings.versions.lineage import lineages_of


@event("mark", version=1)
class MarkOne:
    user: str


@event("mark", version=2)
class MarkTwo:
    owner: str


@downcaster(MarkTwo, from_version=2, loses=("owner",))
def user_from_owner(data: dict[str, str]) -> dict[str, str]:
    return {"user": data["owner"]}


@event("mark", version=3)
class MarkThree:
    holder: str


def gates(**states: Gate) -> Gates:
    return gates_of(
        EventVersion(type="mark", version=int(name[1:]), sha256="", schema=b"{}", gate=gate, epoch=int(name[1:]))
        for name, gate in states.items()
    )


def mark(version: int) -> Envelope:
    data = {1: MarkOne(user="jo"), 2: MarkTwo(owner="jo"), 3: MarkThree(holder="jo")}[version]
    return Envelope(id="1", source="/s", type="mark", version=version, data=encode_json(data))


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def keeper(clock: StillClock) -> Gatekeeper:
    made = Gatekeeper(lineages_of([MarkOne, MarkTwo, MarkThree]), clock)
    made.learn(gates(v1="open", v2="closed", v3="closed"), sent=clock.monotonic())
    return made


def test_what_nobody_registered_is_as_it_is(clock: StillClock) -> None:
    assert Gatekeeper({}, clock).admit(mark(2)) == mark(2)


def test_a_version_that_is_not_open_is_brought_down_to_one_that_is(keeper: Gatekeeper) -> None:
    brought = keeper.admit(mark(2))
    assert (brought.version, brought.data, brought.id) == (1, b'{"user":"jo"}', "1")


def test_a_version_without_steps_to_an_open_one_is_refused_with_those_that_are(keeper: Gatekeeper) -> None:
    with pytest.raises(VersionNotOpenError) as refused:
        keeper.admit(mark(3))
    assert refused.value.accepted == (1,)


def test_what_comes_from_outside_is_never_brought_down(keeper: Gatekeeper) -> None:
    keeper.check(mark(1))
    with pytest.raises(VersionNotOpenError):
        keeper.check(mark(2))
    with pytest.raises(UnknownTypeError):
        keeper.check(Envelope(id="1", source="/s", type="mark", version=4))


def test_a_version_is_appended_as_it_is_from_the_moment_its_gate_is_known_to_be_open(
    keeper: Gatekeeper, clock: StillClock
) -> None:
    keeper.learn(gates(v1="open", v2="open", v3="closed"), sent=clock.monotonic())
    assert keeper.admit(mark(2)) == mark(2)
    keeper.learn(gates(v1="open", v2="closing", v3="closed"), sent=clock.monotonic())
    assert keeper.admit(mark(2)).version == 1


def test_who_has_not_renewed_for_long_appends_nothing_that_may_be_shut(keeper: Gatekeeper, clock: StillClock) -> None:
    clock.move(FRESH_SECONDS + 1)
    with pytest.raises(LogUnavailableError):
        keeper.admit(mark(1))


def test_the_epoch_that_is_told_is_that_of_the_oldest_gates_under_way(keeper: Gatekeeper, clock: StillClock) -> None:
    before = keeper.epochs
    with keeper.passing():
        keeper.learn(gates(v1="open", v4="open"), sent=clock.monotonic())
        assert keeper.epochs == before == {"mark": 3}
        with keeper.passing():
            pass
        assert keeper.epochs == before
    assert keeper.epochs == {"mark": 4}
