"""What the planner is asked for in a town, and what has to be true whenever it says yes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.promises.rollouts import releases
from tests.promises.rollouts.parts import Process, Stuck
from tests.promises.rollouts.releases import VERSIONS
from tests.promises.rollouts.town import Town
from tidings.versions.admission import lacking
from tidings.versions.census import Kind


def may_meet(town: Town, name: str, type: str) -> set[int]:
    """Return the versions of a type that a consumer may meet, from all that is, whatever the census leaves out."""
    consumer = town.consumers[name]
    found = {each for (of, each), row in town.rows.items() if of == type and row.gate != "closed"}
    places = {*range(consumer.at, len(town.log)), *consumer.letters, *consumer.again}
    places |= set(range(town.floor, len(town.log))) if consumer.reads_all else set()
    found |= {town.log[place].version for place in places if town.log[place].type == type}
    return found | {each.version for each in town.outbox if each.type == type}


# gates
def open(town: Town) -> None:
    type = _drawn_type(town)
    version = mostly_last(town, sorted({0} | {v for of, v in town.rows if of == type} - town.open_versions(type)))
    row = town.rows.get((type, version))
    owner = next((each.name for each in town.services if type in each.emits), "")
    if row is None or row.gate != "closed" or not town.may(town.rules.switch(town.seen(), owner, type, version)):
        return
    for one in town.live():
        for endpoint in town.endpoints:
            if not _is_served(one, type, version, endpoint.pins.get(type, version)):
                raise Stuck(f"{one.number} has no way from {type} {version} to {endpoint.pins}")
    town.write(row, "open", by_hand=False)


def close(town: Town) -> None:
    type = _drawn_type(town)
    version = mostly_last(town, sorted(town.open_versions(type), reverse=True) or [0])
    row = town.rows.get((type, version))
    if row is None or not town.may(town.rules.close(town.seen(), row)):
        return
    before = town.open_versions(type)
    town.write(row, "closing", by_hand=True)
    for one in town.live():
        known, told = one.release[type], one.told[type]
        lands = [releases.lands(known, told, open_) for open_ in (before, town.open_versions(type))]
        if type in one.service.writes and lands[0] is not None and lands[1] is None:
            raise Stuck(f"{one.number} can append no {type} once {version} is closed")


def settle(town: Town) -> None:
    census = town.seen()
    for row in list(town.rows.values()):
        if row.gate == "closing" and town.rules.is_known(census, row):
            town.write(row, "closed")


def retire(town: Town) -> None:
    """Retire a version that another one took the place of: of what was never opened nothing would be left to do."""
    type, version = _drawn_kind(town)
    row = town.rows.get((type, version))
    if row is None or row.life == "retired" or version >= max(town.open_versions(type), default=0):
        return
    if row.life == "active" and row.gate == "closed":  # its date came
        town.write(row, "closed", life="sunset", by_hand=True)
        row = town.rows[type, version]
    if not town.may(town.rules.retire(town.seen(), type, version)):
        return
    for name, each in town.consumers.items():
        places = {*range(each.at, len(town.log)), *each.letters}
        if type in each.reads and any(_kind(town, place) == (type, version) for place in places):
            raise Stuck(f"{type} {version} is retired, and under way to {name}")
    if any(each.pins.get(type) == version for each in town.endpoints):
        raise Stuck(f"{type} {version} is retired, and an endpoint is pinned to it")
    due = [pair for each in town.endpoints for pair in (*each.pending, *each.dead)]
    if any((town.log[place].type, pin) == (type, version) for place, pin in due):
        raise Stuck(f"{type} {version} is retired, and is still to be delivered")
    town.write(row, "closed", life="retired", by_hand=True)


# what may go, and come back
def support(town: Town) -> None:
    type, version = _drawn_kind(town)
    for name in town.consumers:
        if not town.may(town.rules.support(town.seen(), name, type, version)):
            continue
        for one in town.live():
            left = one.release[type].without_class(version)
            if name not in town.carried(one) or type not in town.consumers[name].reads or left is None:
                continue
            if version in may_meet(town, name, type) - releases.accepts(left, one.told[type]):
                raise Stuck(f"{name} {one.number} may meet {type} {version}, whose class may go")


def step(town: Town) -> None:
    type, of = _drawn_kind(town)
    for to in (of - 1, of + 1):
        if to in VERSIONS and town.may(town.rules.step(town.seen(), type, of, to)):
            for one in town.live():
                _check_step(town, one, type, (of, to))


def _check_step(town: Town, one: Process, type: str, edge: tuple[int, int]) -> None:
    known, told = one.release[type], one.told[type]
    left = known.without_step(*edge)
    for name in town.carried(one):
        if type in town.consumers[name].reads:
            lost = releases.accepts(known, told) - releases.accepts(left, told)
            if lost & may_meet(town, name, type):
                raise Stuck(f"{name} {one.number} may meet {type} {lost}, which the step {edge} leads on")
    open_ = town.open_versions(type)
    if type in one.service.writes and releases.lands(known, told, open_) != releases.lands(left, told, open_):
        raise Stuck(f"{one.number} appends {type} by the step {edge}")
    due = [(town.log[place], pin) for each in town.endpoints for place, pin in (*each.pending, *each.dead)]
    pairs = {(each.version, pin) for each, pin in due if each.type == type}
    pairs |= {(version, each.pins[type]) for version in open_ for each in town.endpoints if type in each.pins}
    if any(_is_served(one, type, *pair) and not releases.is_served(left, told, *pair) for pair in pairs):
        raise Stuck(f"{one.number} serves {type} by the step {edge}")


def roll_back(town: Town) -> None:
    old = town.draw.choice([*town.gone, *town.processes] or [None])
    if old is None or not town.may(town.rules.rollback(town.seen(), old.service.name, str(old.number))):
        return
    made = town.deploy(old.service, old.release)
    for name in town.carried(made):
        for type in town.consumers[name].reads:
            if missing := may_meet(town, name, type) - made.accepts(type):
                raise Stuck(f"{name} went back to {old.number}, and may meet {type} {missing}")
        if why := lacking(town.census(), list(town._accepting(made, name))):
            raise Stuck(f"{name} went back to {old.number}: {why}")
    for type in made.service.writes:
        known = made.release[type]
        own = [town.rows[type, version] for version in known.natives]
        opens_itself = any(each.life == "active" and each.gate == "closed" and not each.by_hand for each in own)
        if not opens_itself and releases.lands(known, made.told[type], town.open_versions(type)) is None:
            raise Stuck(f"{made.service.name} went back to {old.number}, and can append no version of {type}")


def replay(town: Town) -> None:
    if not town.consumers:
        return
    name = town.draw.choice(list(town.consumers))
    consumer = town.consumers[name]
    after = town.draw.randint(town.floor, max(town.floor, consumer.at))
    entries = Counter((each.type, each.version) for each in town.log[after:])
    if town.may(town.rules.replay(town.seen(), name, entries)):
        for one in [each for each in town.live() if name in each.admitted]:
            if strange := [each for each in entries if each[0] in consumer.reads and not _reads(one, *each)]:
                raise Stuck(f"{name} {one.number} is to read {strange} again, and cannot")
        consumer.letters = [place for place in consumer.letters if place < after]
        consumer.again = [place for place in consumer.again if place < after]
        consumer.at = min(after, consumer.at)


def _drawn_type(town: Town) -> str:
    return town.draw.choice(sorted(town.shapes))


def _drawn_kind(town: Town) -> Kind:
    return _drawn_type(town), town.draw.choice(VERSIONS)


def mostly_last(town: Town, versions: Sequence[int]) -> int:
    """Draw a version so that towns come on: mostly the last one given."""
    return versions[-1] if town.draw.random() < 0.6 else town.draw.choice(versions)


def _kind(town: Town, place: int) -> Kind:
    return town.log[place].type, town.log[place].version


def _reads(one: Process, type: str, version: int) -> bool:
    return version in one.accepts(type)


def _is_served(one: Process, type: str, version: int, pin: int) -> bool:
    return releases.is_served(one.release[type], one.told[type], version, pin)
