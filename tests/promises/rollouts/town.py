"""Services that deploy, crash, freeze, wake, publish, read, fail and go back, decided by the planner's own functions.

The types and who reads and emits them are drawn; there may be circles. Classes, steps, readers, gatekeepers and
predicates are the product's; the model holds what a store would, and time is moved by what is done. An append that is
under way for longer than its process's lease is undone, which docs/decisions/0024 says the product does not ensure.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.promises.rollouts import releases
from tests.promises.rollouts.parts import Clock, Consumer, Endpoint, Process, Service, Stuck
from tests.promises.rollouts.releases import NEWEST, VERSIONS, Release, Shape
from tests.promises.rollouts.rules import Rules
from tidings.errors import VersionNotOpenError
from tidings.events.envelope import Envelope
from tidings.store.versions import EventVersion, VersionLease, Waiting
from tidings.versions.answer import AsOf, Reason, verdict_of
from tidings.versions.census import Census, Kind, Pinned, Transit
from tidings.versions.gatekeeper import Gatekeeper
from tidings.versions.gates import gates_of
from tidings.versions.step import Unreadable, adapted

LIFE = 30


class Town:
    """`log`: every entry, from the first; those before `floor` are gone. `rows`: versions, with their gates."""

    def __init__(self, draw: random.Random, rules: Rules | None = None) -> None:
        self.draw = draw
        self.rules = rules or Rules()
        self.clock = Clock()
        self.numbers = self.reads = 0
        self.log: list[Envelope] = []
        self.floor = 0
        self.outbox: list[Envelope] = []
        self.rows: dict[Kind, EventVersion] = {}
        self.processes: list[Process] = []
        self.gone: list[Process] = []
        self._draw_graph()

    def _draw_graph(self) -> None:
        draw = self.draw
        types = [f"t{n}" for n in range(draw.randint(1, 3))]
        self.shapes = {each: Shape(each, tuple(draw.random() < 0.6 for _ in range(NEWEST - 1))) for each in types}
        names = [f"s{n}" for n in range(draw.randint(1, 5))]
        owners = {each: draw.choice(names) for each in types}
        self.services = [
            Service(
                name,
                reads=tuple(each for each in types if draw.random() < 0.6),
                emits=tuple(each for each in types if owners[each] == name),
                keeps_view=draw.random() < 0.4,
                copies=tuple(each for each in types if draw.random() < 0.15),
            )
            for name in names
        ]
        self.consumers = {
            name: Consumer(service, reads, reads_all=name == f"{service.name}.view")
            for service in self.services
            for name, reads in service.consumers.items()
        }
        self.endpoints = [
            Endpoint(f"e{n}", {each: 1 for each in types if draw.random() < 0.8}, reads_data=draw.random() < 0.3)
            for n in range(draw.randint(0, 2))
        ]

    # processes
    def deploy(self, service: Service, release: Release) -> Process:
        """Start a process, as its first heartbeat does."""
        self.numbers += 1
        keeper = Gatekeeper({}, self.clock)  # type: ignore[arg-type]
        told = {type: frozenset(range(1, known.top + 1)) for type, known in release.items()}
        made = Process(self.numbers, service, release, keeper, told)
        for type, versions in told.items():
            for version in sorted(versions):
                self._register(type, version)
        self.processes.append(made)
        self.beat(made, asks=self.rules.asks_at_join)
        return made

    def _register(self, type: str, version: int) -> None:
        if (type, version) not in self.rows:
            gate = "closed" if any(of == type for of, _ in self.rows) else "open"
            row = EventVersion(type=type, version=version, sha256="", schema=b"{}")
            self.rows[type, version] = replace(row, gate=gate, epoch=1)  # type: ignore[arg-type]

    def beat(self, one: Process, *, asks: bool = True) -> None:
        """Renew, learn which versions and gates there are, be admitted."""
        now = self.clock.now
        has_lapsed, one.until = one.until <= now, now + LIFE
        if has_lapsed and self.rules.asks_on_waking:
            one.admitted.clear()
        one.epochs = dict(one.keeper.epochs)
        gates = gates_of(self.rows.values())
        one.told = {type: one.told[type] | {*gates.types[type].known} for type in one.told}
        one.keeper._lineages = {type: releases.lineage(known, one.told[type]) for type, known in one.release.items()}
        one.keeper.learn(gates, sent=now)
        one.leases = ()
        if not self.rules.waits_for_appends:
            one.epochs = dict(gates.epochs)
            one.leases = ()
        for name in self.carried(one):
            if name not in one.admitted and not (asks and self.lacks(one, name, self.seen())):
                one.admitted.add(name)
                one.leases = ()

    def lacks(self, one: Process, name: str, census: Census) -> str:
        return self.rules.lacks(census, list(self._accepting(one, name)))

    def carried(self, one: Process) -> Sequence[str]:
        return list(one.service.consumers)

    def remove(self, one: Process) -> None:
        """End a process in order: what it said last is kept."""
        self.processes.remove(one)
        one.has_left, one.leases = True, ()
        last = {each.service.name: each for each in self.gone}  # a store keeps what each release said last
        self.gone = [*{each.number: each for each in (*last.values(), *self.gone[-5:], one)}.values()]

    def awake(self, service: Service | None = None) -> list[Process]:
        """Return the processes that do something."""
        return [
            each
            for each in self.processes
            if not (each.is_frozen or each.is_dead) and (service is None or each.service is service)
        ]

    def live(self) -> list[Process]:
        """Return those whose leases count."""
        return [each for each in self.processes if each.until > self.clock.now]

    # entries
    def judge(self, one: Process, type: str) -> Envelope | None:
        """Return a new event of the process's class as it may be appended; None if it may not be."""
        known = one.release[type]
        self.numbers += 1
        id = f"n{self.numbers}"
        made = Envelope(id=id, source="s", type=type, version=known.top, data=known.shape.data(known.top, id))
        try:
            return one.keeper.admit(made)
        except VersionNotOpenError:
            return None

    def append(self, envelope: Envelope) -> None:
        """Append, and note what is to be delivered of it."""
        if self.rows[envelope.type, envelope.version].gate == "closed":
            raise Stuck(f"{envelope.type} {envelope.version} was appended, and is closed")
        shape = self.shapes[envelope.type]
        for endpoint in self.endpoints:
            pin = endpoint.pins.get(envelope.type)
            if endpoint.reads_data and pin is None and shape.key(envelope.version) != shape.key(1):
                raise Stuck(f"{endpoint.name} is told no {envelope.type} any more, and nobody was asked")
            endpoint.pending.append((len(self.log), envelope.version if pin is None else pin))
        self.log.append(envelope)

    def read(self, name: str, *, fails: bool = False, emits: bool = True) -> bool:
        """Have some process read the next entry of a consumer; say whether one did."""
        consumer = self.consumers[name]
        able = [each for each in self.awake(consumer.service) if name in each.admitted and each.until > self.clock.now]
        if not able or not (consumer.again or consumer.at < len(self.log)):
            return False
        one = self.draw.choice(able)
        place = consumer.again.pop(0) if consumer.again else consumer.at
        if place == consumer.at:
            consumer.at += 1
        envelope = self.log[place]
        if envelope.type in consumer.reads:
            self._handle(one, name, envelope)
            if place in consumer.letters:
                consumer.letters.remove(place)
            if fails:
                consumer.letters.append(place)
            else:
                consumer.settled.add(place)
                self._react(one, emits=emits and not consumer.reads_all)
        return True

    def _handle(self, one: Process, name: str, envelope: Envelope) -> None:
        self.reads += 1
        known = one.release[envelope.type]
        found = adapted(envelope, releases.reader(known, one.told[envelope.type]))
        if isinstance(found, Unreadable):
            raise Stuck(f"{name} {one.number} reads {sorted(found.accepts)}, and met {envelope.version}")
        made = releases.classes(known)[found.version]  # no other version is handed out, or this is a KeyError
        if type(found.event) is not made or getattr(found.event, known.shape.key(found.version)) != envelope.id:
            raise Stuck(f"{name} {one.number} was handed {found.event!r} for {envelope}")

    def _react(self, one: Process, *, emits: bool) -> None:
        if emits and one.service.emits and self.draw.random() < 0.3:
            made = self.judge(one, self.draw.choice(one.service.emits))
            self.outbox += [] if made is None else [made]

    # what is known
    def seen(self) -> Census:
        """Return the census as the rules have it."""
        return self.rules.seen(self.census())

    def census(self) -> Census:
        stored = Counter((each.type, each.version) for each in self.log[self.floor :])
        return Census(
            as_of=AsOf(time=self.clock.now, position=len(self.log)),
            versions=tuple(self.rows.values()),
            leases=tuple(lease for each in (*self.gone, *self.processes) for lease in self._said(each)),
            stored=stored,
            segments={},
            transit={name: Transit(entries=self._before(each)) for name, each in self.consumers.items()},
            waiting=tuple(self._waiting()),
            endpoints=tuple(
                Pinned(endpoint=each.name, pins=dict(each.pins), reads_data=each.reads_data) for each in self.endpoints
            ),
        )

    def _before(self, consumer: Consumer) -> Counter[Kind]:
        return Counter((each.type, each.version) for each in self.log[consumer.at :])

    def _waiting(self) -> Iterator[Waiting]:
        for name, each in self.consumers.items():
            places = (*each.letters, *(() if each.reads_all else each.again))
            for of in [self.log[place] for place in places]:
                yield Waiting(place="dead", of=name, type=of.type, version=of.version, entries=1, oldest=0)
        for out in self.outbox:
            yield Waiting(place="outbox", of="", type=out.type, version=out.version, entries=1, oldest=0)
        for to in self.endpoints:
            for place, pin in to.pending:
                type = self.log[place].type
                yield Waiting(place="delivery", of=to.name, type=type, version=pin, entries=1, oldest=0)
            for place, pin in to.dead:
                type = self.log[place].type
                yield Waiting(place="given-up", of=to.name, type=type, version=pin, entries=1, oldest=0)

    def _said(self, one: Process) -> tuple[VersionLease, ...]:
        if not one.leases:
            one.leases = tuple(self._leases(one))
        return one.leases

    def _leases(self, one: Process) -> Iterator[VersionLease]:
        for name in self.carried(one):
            yield from self._accepting(one, name)
        for type, known in one.release.items():
            steps = releases.steps(known, one.told[type])
            if type in one.service.emits:
                yield self._lease(one, "", type, "emit", tuple(sorted(known.natives)), steps)
            elif type in one.service.copies and self.rules.counts_repairs:
                yield self._lease(one, "", type, "emit", (known.top,), steps)
            yield self._lease(one, "endpoints", type, "serve", tuple(sorted(known.natives)), steps)

    def _accepting(self, one: Process, name: str) -> Iterator[VersionLease]:
        for type in self.consumers[name].reads:
            said = releases.said(one.release[type], one.told[type], reads_all=self.consumers[name].reads_all)
            yield self._lease(one, name, type, "accept", tuple(sorted(one.accepts(type))), said)

    def _lease(
        self, one: Process, consumer: str, type: str, role: str, versions: tuple[int, ...], details: bytes
    ) -> VersionLease:
        admission = "admitted" if role != "accept" or consumer in one.admitted else "held"
        return VersionLease(
            instance=str(one.number),
            service="" if role == "serve" else one.service.name,
            consumer=consumer,
            type=type,
            role=role,  # type: ignore[arg-type]
            versions=versions,
            revision=str(one.number),
            gate_epoch=one.epochs.get(type, 0),
            admission="left" if one.has_left else admission,  # type: ignore[arg-type]
            details=details,
            expires_at=one.until,
        )

    def open_versions(self, type: str) -> frozenset[int]:
        return frozenset(v for v in VERSIONS if (type, v) in self.rows and self.rows[type, v].gate == "open")

    def write(self, row: EventVersion, gate: str, **more: object) -> None:
        """Change a gate, which raises the epoch of its type."""
        epoch = 1 + max(each.epoch for (type, _), each in self.rows.items() if type == row.type)
        self.rows[row.type, row.version] = replace(row, gate=gate, epoch=epoch, **more)  # type: ignore[arg-type]

    def may(self, found: Sequence[Reason]) -> bool:
        """Say whether the answer is ok. A no has to say what to do next."""
        if not all(each.step and each.told for each in found if each.answer != "ok"):
            raise Stuck(f"no next step: {[each.text for each in found if not each.step]}")
        return verdict_of(found) == "ok"
