"""What happens to a town, one thing at a time; and that it comes to rest when nothing new goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.promises.rollouts import deciding
from tests.promises.rollouts.deciding import mostly_last
from tests.promises.rollouts.parts import Stuck
from tests.promises.rollouts.releases import NEWEST, draw_release
from tests.promises.rollouts.town import Town
from tidings.errors import LogUnavailableError
from tidings.events.envelope import Entry
from tidings.versions.step import Unreadable, serve


def act(town: Town) -> str:
    """Do one thing, drawn; return what it was. Stuck."""
    name = town.draw.choices(_NAMES, _WEIGHTS)[0]
    _ACTS[name][1](town)
    return name


# processes
def _deploy(town: Town) -> None:
    service = town.draw.choice(town.services)
    if len(town.awake(service)) < 3:
        town.deploy(service, draw_release(town.draw, town.shapes.values()))


def _stop(town: Town) -> None:
    if found := town.awake():
        one = town.draw.choice(found)
        for _, envelope in one.work:
            town.append(envelope)
        town.remove(one)


def _crash(town: Town) -> None:
    """Its lease stays until it lapses; what it had under way was not appended."""
    if found := town.awake():
        one = town.draw.choice(found)
        one.is_dead, one.work = True, []


def _freeze(town: Town) -> None:
    if found := town.awake():
        town.draw.choice(found).is_frozen = True


def _wake(town: Town) -> None:
    if frozen := [each for each in town.processes if each.is_frozen]:
        one = town.draw.choice(frozen)
        one.is_frozen = False
        if one.until <= town.clock.now:
            for generation, _ in one.work:
                one.keeper.end(generation)
            one.work = []
        town.beat(one)


def _tick(town: Town) -> None:
    town.clock.now += 10
    for one in town.awake():
        town.beat(one)
    for one in [each for each in town.processes if each.is_dead and each.until <= town.clock.now]:
        town.remove(one)


def _beat(town: Town) -> None:
    if found := town.awake():
        town.beat(town.draw.choice(found))


# entries
def _publish(town: Town) -> None:
    """Have a service say something of its own, or repair its copy: by its class, as its gates are."""
    emitting = [each for each in town.awake() if each.service.writes]
    if emitting:
        one = town.draw.choice(emitting)
        generation = one.keeper.begin()
        try:
            made = town.judge(one, town.draw.choice(one.service.writes))
        except LogUnavailableError:
            made = None
        if made is None:
            one.keeper.end(generation)
        else:
            one.work.append((generation, made))


def _append(town: Town) -> None:
    if working := [each for each in town.awake() if each.work]:
        one = town.draw.choice(working)
        generation, envelope = one.work.pop(0)
        town.append(envelope)
        one.keeper.end(generation)


def _relay(town: Town) -> None:
    if town.outbox:
        town.append(town.outbox.pop(0))


def _read(town: Town) -> None:
    if town.consumers:
        town.read(town.draw.choice(list(town.consumers)))


def _fail(town: Town) -> None:
    if town.consumers:
        town.read(town.draw.choice(list(town.consumers)), fails=True)


def _redrive(town: Town) -> None:
    for each in town.consumers.values():
        each.again += [place for place in each.letters if place not in each.again]


def _refold(town: Town) -> None:
    for each in town.consumers.values():
        if each.reads_all and each.at > town.floor:
            each.again.append(town.draw.randrange(town.floor, each.at))


def _drop(town: Town) -> None:
    """Drop the log's beginning, as far as nobody has anything left to do with it."""
    needed = [place for each in town.consumers.values() for place in (each.at, *each.letters, *each.again)]
    needed += [place for each in town.endpoints for place, _ in (*each.pending, *each.dead)]
    town.floor = max(town.floor, min([*needed, len(town.log)]))


# endpoints
def _pin(town: Town) -> None:
    for each in town.endpoints:
        for type in town.draw.sample(sorted(town.shapes), 1):
            if type in each.pins:
                each.pins[type] = mostly_last(town, sorted(town.open_versions(type)) or [each.pins[type]])
            elif each.reads_data and town.draw.random() < 0.3:
                each.pins[type] = 1  # what its pattern was written for


def _deliver(town: Town) -> None:
    for endpoint in town.endpoints:
        if endpoint.pending and (able := town.awake()):
            place, pin = endpoint.pending.pop(0)
            told = serve(Entry(place, 0, town.log[place]), pin, town.draw.choice(able).keeper._lineages)
            if isinstance(told, Unreadable):
                endpoint.pending.append((place, pin))  # for another process
            elif told.version != pin:
                raise Stuck(f"{endpoint.name} is pinned to {pin}, and was told {told.version}")


def _give_up(town: Town) -> None:
    for endpoint in town.endpoints:
        if endpoint.pending:
            endpoint.dead.append(endpoint.pending.pop(0))


def _recover(town: Town) -> None:
    for endpoint in town.endpoints:
        endpoint.pending += endpoint.dead
        endpoint.dead = []


_ACTS: Mapping[str, tuple[int, Callable[[Town], None]]] = {
    "deploy": (8, _deploy),
    "stop": (4, _stop),
    "crash": (2, _crash),
    "freeze": (3, _freeze),
    "wake": (3, _wake),
    "tick": (12, _tick),
    "beat": (6, _beat),
    "publish": (14, _publish),
    "append": (14, _append),
    "relay": (3, _relay),
    "read": (24, _read),
    "fail": (6, _fail),
    "redrive": (2, _redrive),
    "refold": (2, _refold),
    "drop": (1, _drop),
    "pin": (3, _pin),
    "deliver": (4, _deliver),
    "give up": (2, _give_up),
    "recover": (1, _recover),
    "open": (12, deciding.open),
    "close": (7, deciding.close),
    "settle": (4, deciding.settle),
    "retire": (2, deciding.retire),
    "support": (4, deciding.support),
    "step": (5, deciding.step),
    "roll back": (3, deciding.roll_back),
    "replay": (3, deciding.replay),
}
_NAMES = list(_ACTS)
_WEIGHTS = [weight for weight, _ in _ACTS.values()]


def calm_down(town: Town) -> None:
    """Let every service deploy a release that lacks nothing, and all come to an end. Stuck unless it does."""
    for one in [each for each in town.processes if not each.is_dead]:
        town.processes.remove(one)
    for service in town.services:
        town.deploy(service, draw_release(town.draw, town.shapes.values(), whole=True))
    while town.outbox:
        _relay(town)
    for _ in range(LAPSES):
        _tick(town)
    for name, consumer in town.consumers.items():
        _redrive(town)
        while town.read(name, emits=False):
            pass
        wanted = {place for place, each in enumerate(town.log) if each.type in consumer.reads}
        if consumer.at < len(town.log) or consumer.letters or wanted - consumer.settled:
            raise Stuck(f"{name} is at {consumer.at} of {len(town.log)}, with {consumer.letters} set aside")
    for type in town.shapes:
        for endpoint in town.endpoints:
            endpoint.pins.setdefault(type, 1)
        _expect_switch(town, type)


LAPSES = 4


def _expect_switch(town: Town, type: str) -> None:
    """Whoever has done all that a no asked for is told yes."""
    owner = next(each.name for each in town.services if type in each.emits)
    row = town.rows[type, NEWEST]
    found = town.rules.switch(town.census(), owner, type, NEWEST)
    if row.life == "active" and not town.may(found):
        raise Stuck(f"{type} {NEWEST} may not open: {[each.text for each in found]}")
