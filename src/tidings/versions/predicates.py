"""May the producer switch, may support go, may a step go, may a release come back, may entries be read again?

Pure decisions over a census. Each returns the reasons; `tidings.versions.answer.verdict_of` says what they come to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from tidings.store.versions import EventVersion, Life, VersionLease
from tidings.versions.answer import Reason
from tidings.versions.census import Census, consumer_of
from tidings.versions.reasons import classes, dates, instances, left
from tidings.versions.said import said_of
from tidings.wording import counted

ACTIVE: tuple[Life, ...] = ("active",)
ENDED: tuple[Life, ...] = ("sunset", "retired")


def may_switch(
    census: Census, producer: str, type: str, version: int, *, lives: Collection[Life] = ACTIVE
) -> list[Reason]:
    """Say whether a service, or whoever sends from outside (""), may append a version. `lives`: that it may be in."""
    row = census.of_type(type).get(version)
    if row is None or row.life not in lives:
        return [classes.not_active(type, version, row)]
    found: list[Reason] = []
    if not _has(census, producer, type, version):
        found.append(classes.no_class(producer, type, version))
    found += _readers_accept(census, type, version)
    found += _endpoints_are_served(census, type, version)
    if not found and not census.readers(type) and not any(each.may_match(type) for each in census.endpoints):
        found.append(instances.nobody_reads(type))
    return found


def _has(census: Census, producer: str, type: str, version: int) -> bool:
    """Say whether the producer can say it: a service by its class, and who is outside by any process that takes it."""
    emitting = census.live("emit", type)
    if any(each.service == producer and version in each.versions for each in emitting):
        return True
    return not producer and any(version in said_of(each.details).takes for each in emitting)


def may_retire_support(census: Census, consumer: str, type: str, version: int) -> list[Reason]:
    """Say whether a consumer's class or handler of a version may be deleted."""
    found = list(_sunset(census, type, version))
    leases = census.readers(type).get(consumer, ())
    if not leases:
        return [*found, instances.unseen(consumer, type)]
    if all(_is_led_on(each, version) for each in leases):
        return found
    if version in census.produced(type):
        found.append(left.still_produced(census.of_type(type)[version]))
    reads_all = any(said_of(each.details).reads_all for each in leases)
    return found + list(_within_reach(census, consumer, type, version, reads_all=reads_all))


def may_retire_step(census: Census, type: str, of: int, to: int) -> list[Reason]:
    """Say whether a step between two neighbours may be deleted."""
    return _may_retire_up(census, type, of) if to > of else _may_retire_down(census, type, to)


def _may_retire_up(census: Census, type: str, of: int) -> list[Reason]:
    found: list[Reason] = []
    for version in range(1, of + 1):
        if version in census.produced(type):
            found.append(left.still_produced(census.of_type(type)[version]))
        for consumer in census.concerned(type):
            found += _in_transit(census, consumer, type, version)
        if census.outbox(type) and any(each.version == version for each in census.outbox(type)):
            found.append(left.in_outbox(type, version))
        if census.stored.get((type, version)):
            found.append(left.stored(type, version, census.stored[type, version]))
    return found


def _may_retire_down(census: Census, type: str, to: int) -> list[Reason]:
    found = [
        left.pinned(each, type, each.pins[type], 0) for each in census.endpoints if each.pins.get(type, to + 1) <= to
    ]
    pending = [each for each in census.waiting if each.place == "delivery" and each.type == type]
    found += [left.deliveries_pending(each) for each in pending if 0 < each.version <= to]
    found += [left.given_up(each) for each in census.given_up(type) if 0 < each.version <= to]
    behind = [each for each in census.live("accept", type) if max(each.versions, default=0) <= to]
    found += [instances.does_not_accept(each, type, to + 1) for each in behind]
    rows = census.of_type(type)
    found += [left.still_produced(rows[version]) for version in sorted(census.produced(type)) if version <= to]
    return found


def may_rollback(census: Census, service: str, revision: str) -> list[Reason]:
    """Say whether a service may go back to a release, by what that said when it ran last."""
    said = [each for each in census.leases if (each.service, each.revision) == (service, revision)]
    if not said:
        return [instances.release_unseen(service, revision)]
    found: list[Reason] = []
    for lease in (each for each in said if each.role == "accept"):
        reads_all = said_of(lease.details).reads_all
        reach, _ = census.within_reach(lease.consumer, lease.type, reads_all=reads_all)
        for version in sorted({*census.produced(lease.type), *reach} - {*lease.versions}):
            if version in census.produced(lease.type):
                row = census.of_type(lease.type)[version]
                found.append(left.still_produced_to(lease, row, _falls_back(census, lease.type, version)))
            else:
                found += _within_reach(census, lease.consumer, lease.type, version, reads_all=reads_all)
    for lease in (each for each in said if each.role == "emit"):
        found += _may_write(census, lease)
    return _once(found)


def _may_write(census: Census, lease: VersionLease) -> Iterator[Reason]:
    """Yield what keeps a release that emits a type from appending any of it: no version is open that it can write, and
    none opens by itself."""
    rows = census.of_type(lease.type)
    own = [rows[version] for version in lease.versions if version in rows]
    if not own or lands(lease, {number for number, each in rows.items() if each.gate == "open"}):
        return
    waiting = [each for each in own if each.life == "active" and each.gate == "closed" and not each.by_hand]
    if waiting:
        yield from _readers_accept(census, lease.type, waiting[-1].version)
    else:
        yield instances.writes_nothing(lease, ([each for each in own if each.life not in ENDED] or own)[-1])


def lands(lease: VersionLease, versions: Collection[int]) -> bool:
    """Say whether who emits can write one of these versions: its own, or one that its steps lead down to."""
    said, top = said_of(lease.details), max(lease.versions, default=0)
    return any(each <= top and said.path(top, each) is not None for each in versions)


def may_replay(census: Census, consumer: str, entries: Mapping[tuple[str, int], int]) -> list[Reason]:
    """Say whether a consumer may read these entries, counted by type and version, again."""
    found: list[Reason] = []
    consumer = consumer_of(consumer)
    types = {each.type for each in census.leases if each.consumer == consumer}
    for type in sorted({type for type, _ in entries} & types):
        accepted = census.accepted(consumer, type)
        if accepted is None:
            found.append(instances.unseen(consumer, type))
            continue
        for version in sorted(version for (of, version), count in entries.items() if of == type and count):
            if version not in accepted:
                found += _refusing(census, consumer, type, version)
    return found


def may_retire(census: Census, type: str, version: int) -> list[Reason]:
    """Say whether a version may be retired for good, so that its number is burnt."""
    row = census.of_type(type).get(version)
    if row is None or row.life == "retired":
        return [classes.not_active(type, version, row)]
    pinned = [each for each in census.endpoints if each.pins.get(type) == version and each.may_match(type)]
    found = [left.pinned(each, type, version, _pending(census, each.endpoint, type, version)) for each in pinned]
    for consumer in census.concerned(type):
        found += _in_transit(census, consumer, type, version)
    if any(each.version == version for each in census.outbox(type)):
        found.append(left.in_outbox(type, version))
    found += [
        left.deliveries_pending(each)
        for each in census.waiting
        if (each.place, each.type, each.version) == ("delivery", type, version)
        and each.of not in {one.endpoint for one in pinned}
    ]
    found += [left.given_up(each) for each in census.given_up(type) if each.version == version]
    found += _not_over(census, row)
    for consumer in census.readers(type):
        found += may_retire_support(census, consumer, type, version)
    return _once(found)


def _not_over(census: Census, row: EventVersion) -> Iterator[Reason]:
    """Yield what is missing until a version is over: its date, that somebody saw it come, its gate."""
    if row.life == "active" and row.is_produced:
        yield left.still_produced(row)
    if row.life != "sunset" and row.sunset is None:
        yield dates.no_date(row)
    elif row.sunset is not None and row.sunset > census.as_of.time:
        yield dates.sunset_not_reached(row.type, row.version, row.sunset)
    elif row.life != "sunset":
        yield dates.ends_soon(row)
    elif row.is_produced:
        yield dates.closing(row.type, row.version)


def stored_notes(census: Census, type: str, version: int) -> tuple[str, ...]:
    """Return what is to be known of the entries that stay in the log when a version is retired."""
    entries = census.stored.get((type, version), 0)
    if not entries:
        return ()
    segments = census.segments.get((type, version), 0)
    stored = counted(entries, "entry", "entries")
    count = f"stored: {stored} in {segments or 'no'} segment{'s' * (segments != 1)}"
    said = [said_of(each.details) for each in census.live("accept", type)]
    paths = [each.path(version, max(each.natives)) for each in said if max(each.natives, default=0) > version]
    path = max((each for each in paths if each), key=len, default=None)
    if path is None:
        return (f"{count}, which nobody who runs reads by upcasters",)
    way = " -> ".join(map(str, (version, *(end for _, end in path))))
    keep = "keep the step" if len(path) == 1 else f"keep all {len(path)} steps" if len(path) > 2 else "keep both steps"
    return (f"{count}, readable through {way}; {keep}",)


def _readers_accept(census: Census, type: str, version: int) -> Iterator[Reason]:
    for consumer in census.readers(type):
        accepted = census.accepted(consumer, type)
        if accepted is None or version not in accepted:
            yield from _refusing(census, consumer, type, version)


def _refusing(census: Census, consumer: str, type: str, version: int) -> list[Reason]:
    """Return who of a consumer does not accept a version; or that nobody can tell, since none of it is admitted."""
    live = census.readers(type).get(consumer, ())
    admitted = [each for each in live if each.admission == "admitted"]
    if not live:
        return [instances.unseen(consumer, type)]
    if not admitted:
        return [instances.held(each) for each in live]
    newer = next((each for each in live if version in each.versions), None)
    return [instances.does_not_accept(each, type, version, newer) for each in admitted if version not in each.versions]


def _endpoints_are_served(census: Census, type: str, version: int) -> Iterator[Reason]:
    """Yield the dispatchers that lack steps, but those that go with an instance which has to be replaced already."""
    reading = [each for each in census.live("accept", type) if each.admission == "admitted"]
    behind = {each.instance for each in reading if version not in each.versions}
    serving = [each for each in census.live("serve", type) if each.instance not in behind]
    for each in census.endpoints:
        pin = each.pins.get(type)
        if pin is None and each.reads_data and each.may_match(type):
            yield instances.pattern_unbound(each, type, version)
        if pin is None or not each.may_match(type):
            continue
        if pin != version and not census.live("serve", type):
            yield instances.nobody_serves(each, pin)
        for lease in serving:
            if said_of(lease.details).path(version, pin) is None:
                yield instances.not_served(each, lease, type, version)


def _within_reach(census: Census, consumer: str, type: str, version: int, *, reads_all: bool) -> Iterator[Reason]:
    yield from _in_transit(census, consumer, type, version)
    kept = census.stored if reads_all else census.again.get(consumer, {})
    stored = kept.get((type, version), 0)
    if stored:
        yield left.stored(type, version, stored)


def _in_transit(census: Census, consumer: str, type: str, version: int) -> Iterator[Reason]:
    aside = [each for each in census.aside(consumer, type) if each.version == version]
    for each in aside:
        yield left.set_aside(consumer, each)
    entries, is_exact = census.in_transit(consumer, type)
    before = entries.get(version, 0) - sum(each.entries for each in aside)
    if before > 0:
        yield left.in_transit(consumer, type, version, before, is_exact=is_exact)


def _sunset(census: Census, type: str, version: int) -> Iterator[Reason]:
    row = census.of_type(type).get(version)
    if row is not None and row.sunset is not None and row.sunset > census.as_of.time:
        yield dates.sunset_not_reached(type, version, row.sunset)


def _is_led_on(lease: VersionLease, version: int) -> bool:
    """Say whether a release reads a version by upcasters, and would without a class for it."""
    said = said_of(lease.details)
    return any(native > version and said.path(version, native) is not None for native in said.natives)


def _falls_back(census: Census, type: str, version: int) -> dict[str, int]:
    """Return, by service, which open version those that emit this one would append instead."""
    below = [each for each in census.produced(type) if each < version]
    emitting = {each.service for each in census.live("emit", type) if each.service and version in each.versions}
    return {service: max(below) for service in sorted(emitting)} if below else {}


def _pending(census: Census, endpoint: str, type: str, version: int) -> int:
    return sum(
        each.entries
        for each in census.waiting
        if each.place == "delivery" and (each.of, each.type, each.version) == (endpoint, type, version)
    )


def _once(found: list[Reason]) -> list[Reason]:
    kept: list[Reason] = []
    for each in found:
        if each not in kept:
            kept.append(each)
    return kept
