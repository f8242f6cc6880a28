"""Services that deploy, stop, freeze, wake, publish, read and fail, decided by the planner's own pure functions.

One type, one producer, some consumers. The model holds what a store would; time is moved by the actions. A `fault` is
one decision taken wrongly, to see that the promise does not hold by chance.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from tidings.store.versions import EventVersion, VersionLease, Waiting
from tidings.versions.admission import lacking
from tidings.versions.answer import AsOf, verdict_of
from tidings.versions.census import Census, Transit
from tidings.versions.predicates import may_rollback, may_switch
from tidings.versions.said import Said, details_of

TYPE = "moved"
LIFE = 30
VERSIONS = (1, 2, 3, 4)
ACTS = (
    *("deploy", "deploy", "stop", "freeze", "wake", "beat", "beat"),
    *("publish", "publish", "append", "append", "read", "read", "read", "fail", "redrive", "refold"),
    *("open", "open", "close", "learn", "settle"),
)
FAULTS = (
    "only the newest instance is judged",
    "admission is skipped at join",
    "admission is skipped on waking",
    "closing is taken for closed",
    "dead letters are left out",
    "what a view reads again is left out",
)


class Stuck(AssertionError):
    """A reader stands before an entry that it cannot read."""


@dataclass
class Running:
    """One instance of a consumer. `until`: when its lease ends; `frozen`: it does nothing, and renews nothing."""

    number: int
    accepts: frozenset[int]
    until: int
    admitted: bool = False
    frozen: bool = False


@dataclass
class Consumer:
    """`at`: how many entries are settled; `letters`: places of entries set aside; `again`: places to be read anew."""

    name: str
    reads_all: bool
    running: list[Running] = field(default_factory=list)
    at: int = 0
    letters: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


@dataclass
class Emitter:
    """The producer: what it knows of the gates, which epoch it has reported, what it has judged and not appended."""

    open: frozenset[int]
    epoch: int = 0
    judged: list[int] = field(default_factory=list)


class Town:
    """The whole: `log` holds the version of each entry."""

    def __init__(self, draw: random.Random, fault: str = "") -> None:
        self.draw = draw
        self.fault = fault
        self.now = 0
        self.numbers = 0
        self.log: list[int] = []
        self.gates = {
            version: EventVersion(type=TYPE, version=version, sha256="", schema=b"{}") for version in (1, 2, 3, 4)
        }
        self.gates[1] = replace(self.gates[1], gate="open", epoch=1)
        self.emitter = Emitter(open=frozenset({1}), epoch=1)
        names = ["shop", "town", "view"][: draw.randint(1, 3)]
        self.consumers = [Consumer(name, reads_all=name == "view") for name in names]

    def act(self) -> str:
        """Do one thing, at random, and return what it was; Stuck."""
        act = self.draw.choice(ACTS)
        getattr(self, f"_{act}")()
        return act

    # instances
    def _deploy(self) -> None:
        consumer = self.draw.choice(self.consumers)
        newest = self.draw.randint(1, 4)
        accepts = (
            frozenset(range(self.draw.randint(1, newest), newest + 1))
            if self.draw.random() < 0.4
            else (frozenset(range(1, newest + 1)))
        )
        self.numbers += 1
        made = Running(self.numbers, accepts, self.now + LIFE)
        consumer.running.append(made)
        self._admit(consumer, made, skips=self.fault == "admission is skipped at join")

    def _admit(self, consumer: Consumer, one: Running, *, skips: bool = False) -> None:
        leases = [self._lease(consumer, one)]
        one.admitted = skips or not lacking(self.census(), leases)

    def _stop(self) -> None:
        found = self._some()
        if found is not None:
            found[0].running.remove(found[1])

    def _freeze(self) -> None:
        found = self._some()
        if found is not None:
            found[1].frozen = True

    def _wake(self) -> None:
        for consumer in self.consumers:
            for one in consumer.running:
                if one.frozen:
                    one.frozen = False
                    self._renew(consumer, one)

    def _beat(self) -> None:
        self.now += 10
        for consumer in self.consumers:
            for one in consumer.running:
                if not one.frozen:
                    self._renew(consumer, one)

    def _renew(self, consumer: Consumer, one: Running) -> None:
        has_lapsed = one.until <= self.now
        one.until = self.now + LIFE
        if has_lapsed and self.fault != "admission is skipped on waking":
            one.admitted = False
        if not one.admitted:
            self._admit(consumer, one)

    def _some(self) -> tuple[Consumer, Running] | None:
        found = [(consumer, one) for consumer in self.consumers for one in consumer.running if not one.frozen]
        return self.draw.choice(found) if found else None

    # entries
    def _publish(self) -> None:
        wanted = self.draw.randint(1, 4)
        below = [each for each in self.emitter.open if each <= wanted]
        if below:
            self.emitter.judged.append(max(below))

    def _append(self) -> None:
        if self.emitter.judged:
            self.log.append(self.emitter.judged.pop(0))

    def _read(self) -> None:
        consumer = self.draw.choice(self.consumers)
        reading = [one for one in consumer.running if one.admitted and not one.frozen and one.until > self.now]
        if not reading:
            return
        one = self.draw.choice(reading)
        if consumer.again:
            place = consumer.again.pop(0)
            self._handled(consumer, one, place)
            if place in consumer.letters:
                consumer.letters.remove(place)
        elif consumer.at < len(self.log):
            self._handled(consumer, one, consumer.at)
            consumer.at += 1

    def _handled(self, consumer: Consumer, one: Running, place: int) -> None:
        if self.log[place] not in one.accepts:
            raise Stuck(f"{consumer.name} {one.number} accepts {sorted(one.accepts)}, and met {self.log[place]}")

    def _fail(self) -> None:
        consumer = self.draw.choice(self.consumers)
        before = consumer.at
        if before < len(self.log):
            self._read()
            if consumer.at > before:
                consumer.letters.append(before)

    def _redrive(self) -> None:
        consumer = self.draw.choice(self.consumers)
        consumer.again += consumer.letters

    def _refold(self) -> None:
        for consumer in self.consumers:
            if consumer.reads_all and consumer.at:
                consumer.again.append(self.draw.randrange(consumer.at))

    # gates
    def _open(self) -> None:
        version = self.draw.randint(1, 4)
        row = self.gates[version]
        if row.gate == "closed" and verdict_of(may_switch(self.census(), "shop", TYPE, version)) == "ok":
            self._write(row, "open")

    def _close(self) -> None:
        row = self.gates[self.draw.randint(1, 4)]
        others = [each for each in self.gates.values() if each.gate == "open" and each is not row]
        if row.gate == "open" and others:
            self._write(row, "closed" if self.fault == "closing is taken for closed" else "closing")

    def _write(self, row: EventVersion, gate: str) -> None:
        epoch = 1 + max(each.epoch for each in self.gates.values())
        self.gates[row.version] = replace(row, gate=gate, epoch=epoch)  # type: ignore[arg-type]

    def _learn(self) -> None:
        """The emitter reads the gates; it reports their epoch once nothing older is under way."""
        self.emitter.open = frozenset(number for number, each in self.gates.items() if each.gate == "open")
        if not self.emitter.judged:
            self.emitter.epoch = max(each.epoch for each in self.gates.values())

    def _settle(self) -> None:
        for row in list(self.gates.values()):
            if row.gate == "closing" and self.emitter.epoch >= row.epoch:
                self.gates[row.version] = replace(row, gate="closed")

    # what is known
    def census(self) -> Census:
        leases = [self._emits()]
        for consumer in self.consumers:
            running = sorted(consumer.running, key=lambda one: one.number)
            if self.fault == "only the newest instance is judged":
                running = running[-1:]
            leases += [self._lease(consumer, one) for one in running]
        return Census(
            as_of=AsOf(time=self.now, position=len(self.log)),
            versions=tuple(self.gates.values()),
            leases=tuple(leases),
            stored={(TYPE, version): self.log.count(version) for version in set(self.log)},
            segments={},
            transit={each.name: Transit(entries=self._before(each)) for each in self.consumers},
            waiting=tuple(self._aside()),
        )

    def _before(self, consumer: Consumer) -> dict[tuple[str, int], int]:
        left = self.log[consumer.at :]
        return {(TYPE, version): left.count(version) for version in set(left)}

    def _aside(self) -> list[Waiting]:
        if self.fault == "dead letters are left out":
            return []
        return [
            Waiting(place="dead", of=each.name, type=TYPE, version=self.log[place], entries=1, oldest=0)
            for each in self.consumers
            for place in (*each.letters, *(() if each.reads_all else each.again))
        ]

    def _lease(self, consumer: Consumer, one: Running) -> VersionLease:
        reads_all = consumer.reads_all and self.fault != "what a view reads again is left out"
        return VersionLease(
            instance=str(one.number),
            service=consumer.name,
            consumer=consumer.name,
            type=TYPE,
            role="accept",
            versions=tuple(sorted(one.accepts)),
            revision=str(one.number),
            admission="admitted" if one.admitted else "held",
            details=details_of(Said(natives=tuple(sorted(one.accepts)), reads_all=reads_all)),
            expires_at=one.until,
        )

    def _emits(self) -> VersionLease:
        return VersionLease(
            instance="emitter",
            service="shop",
            consumer="",
            type=TYPE,
            role="emit",
            versions=VERSIONS,
            gate_epoch=self.emitter.epoch,
            expires_at=self.now + LIFE,
        )


def check_rollback(town: Town) -> None:
    """An ok to go back holds at once: the release is admitted."""
    for consumer in town.consumers:
        for one in consumer.running:
            if verdict_of(may_rollback(town.census(), consumer.name, str(one.number))) == "ok":
                assert not lacking(town.census(), [town._lease(consumer, one)])
