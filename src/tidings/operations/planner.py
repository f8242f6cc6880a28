"""The planner's questions, asked of a census: answers in one shape for Python, HTTP and the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tidings.errors import CallerError, MalformedError, NotFoundError
from tidings.store.driver import StoreDriver
from tidings.store.versions import EventVersion, VersionLease, no_version
from tidings.versions import predicates
from tidings.versions.answer import Answer, Reason
from tidings.versions.census import Census, Transit
from tidings.versions.plan import Plan, plan
from tidings.versions.predicates import stored_notes
from tidings.versions.reasons import dates, instances, left
from tidings.versions.reasons.names import name_of, second_of

KINDS = ("register", "switch", "retire-support", "retire-transformer", "rollback", "replay", "retire")
"""What may be asked."""
Given = Mapping[str, Any]


def ask(census: Census, kind: str, given: Given) -> Answer:
    """Answer a question. CallerError if a member of it is missing or unknown; NotFoundError for a type that is."""
    asked = _ASKED.get(kind)
    if asked is None:
        raise NotFoundError("predicate", kind, KINDS)
    members, question, judge = asked
    for name in members:
        if given.get(name) is None:
            raise CallerError(f"{kind} needs {', '.join(members)}: {name} is missing", errors=[(f"/{name}", "missing")])
    if "type" in given and given["type"] is not None and not census.of_type(given["type"]):
        raise NotFoundError("event type", given["type"], {each.type for each in census.versions})
    told = {name: given[name] for name in members}
    return answered({"kind": question, **told}, judge(census, told), census)


def answered(question: Mapping[str, Any], found: Sequence[Reason], census: Census) -> Answer:
    """Return the answer that these reasons make."""
    whole = tuple(found) if census.is_whole else (*found, left.census_differs())
    whole += forced(census, question.get("type")) + assumed(census, question.get("type"))
    notes: tuple[str, ...] = ()
    if question["kind"] in ("can_retire", "version-retired"):
        notes = stored_notes(census, question["type"], question["version"])
    evidence = _evidence(question, census)
    return Answer(question=question, reasons=whole, evidence=evidence, as_of=census.as_of, notes=notes)


def forced(census: Census, type: object) -> tuple[Reason, ...]:
    """Return what was opened or appended of a type whatever was answered: it is said, and decides nothing."""
    return tuple(dates.was_forced(each) for each in census.versions if each.type == type and each.forced is not None)


def assumed(census: Census, type: object) -> tuple[Reason, ...]:
    """Return who counts though nothing of it runs."""
    live = census.live("accept", type if isinstance(type, str) else None)
    return tuple(instances.assumed(each) for each in live if each.consumer in census.assumed)


async def replayed(store: StoreDriver, after: int) -> Mapping[tuple[str, int], int]:
    """Return how many entries of each version stand behind a position, at most."""
    counted = await store.tallies(after=after)
    return {(each.type, each.version): each.entries for each in counted.tallies}


def planned(census: Census, type: str, to: int, *, opens_itself: bool) -> Plan:
    """Return the plan for taking a type to a version. NotFoundError for a type that nobody has registered."""
    if not census.of_type(type):
        raise NotFoundError("event type", type, {each.type for each in census.versions})
    made = plan(census, type, to, opens_itself=opens_itself)
    return replace(made, reasons=(*made.reasons, *forced(census, type), *assumed(census, type)))


def counts(census: Census, type: str | None) -> list[dict[str, Any]]:
    """Return a row for each version: produced, stored, before consumers, set aside, in the outbox, to be delivered."""
    if type is not None and not census.of_type(type):
        raise NotFoundError("event type", type, {each.type for each in census.versions})
    return [
        {
            "type": row.type,
            "version": row.version,
            "state": row.life,
            "gate": row.gate,
            "stored": census.stored.get((row.type, row.version), 0),
            "segments": census.segments.get((row.type, row.version), 0),
            "in_transit": sum(
                before.entries.get((row.type, row.version), 0) for before in _on_their_way(census, row.type)
            ),
            "dead": _waiting(census, "dead", row) + _waiting(census, "given-up", row),
            **{place: _waiting(census, place, row) for place in ("retry", "outbox", "delivery")},
        }
        for row in census.versions
        if type in (None, row.type)
    ]


def _on_their_way(census: Census, type: str) -> list[Transit]:
    """Return what is before each consumer, but those that are known to read other types alone."""
    reads = {(each.consumer, each.type) for each in census.leases if each.role == "accept"}
    known = {consumer for consumer, _ in reads}
    return [before for name, before in census.transit.items() if name not in known or (name, type) in reads]


def _waiting(census: Census, place: str, row: EventVersion) -> int:
    return sum(
        each.entries
        for each in census.waiting
        if (each.place, each.type, each.version) == (place, row.type, row.version)
    )


def _evidence(question: Mapping[str, Any], census: Census) -> tuple[Mapping[str, Any], ...]:
    type = question.get("type")
    leases = [
        {
            "fact": "lease",
            "service": each.service,
            "consumer": each.consumer,
            "instance": name_of(each),
            "role": each.role,
            "revision": each.revision,
            "state": _state(census, each),
            "renewed_at": second_of(each.renewed_at),
            "versions": list(each.versions),
        }
        for each in census.leases
        if type in (None, each.type)
    ]
    gates = [
        {"fact": "gate", "type": each.type, "version": each.version, "state": each.gate}
        for each in census.versions
        if type in (None, each.type)
    ]
    return (*gates, *leases)


def _state(census: Census, lease: VersionLease) -> str:
    if not lease.is_live(census.as_of.time):
        return "lapsed"
    return "assumed" if lease.role == "accept" and lease.consumer in census.assumed else lease.admission


def _switch(census: Census, given: Given) -> list[Reason]:
    return predicates.may_switch(census, given["producer"], given["type"], given["version"])


def _support(census: Census, given: Given) -> list[Reason]:
    return predicates.may_retire_support(census, given["consumer"], given["type"], given["version"])


def _step(census: Census, given: Given) -> list[Reason]:
    type, ends = given["type"], (given["from"], given["to"])
    if abs(ends[0] - ends[1]) != 1:
        raise MalformedError("a transformer leads from a version to a neighbour: from and to differ by one")
    for version in ends:
        if not 1 <= version <= max(census.of_type(type)):  # one between may be known to no database, and have steps
            raise no_version(type, str(version), ((each.type, each.version) for each in census.versions))
    return predicates.may_retire_step(census, type, *ends)


def _rollback(census: Census, given: Given) -> list[Reason]:
    return predicates.may_rollback(census, given["service"], given["revision"])


def _replay(census: Census, given: Given) -> list[Reason]:
    return predicates.may_replay(census, given["consumer"], given["entries"])


def _retire(census: Census, given: Given) -> list[Reason]:
    return predicates.may_retire(census, given["type"], given["version"])


_ASKED: Mapping[str, tuple[tuple[str, ...], str, Callable[[Census, Given], list[Reason]]]] = {
    "switch": (("producer", "type", "version"), "can_switch_producer", _switch),
    "retire-support": (("consumer", "type", "version"), "can_retire_consumer_support", _support),
    "retire-transformer": (("type", "from", "to"), "can_retire_transformer", _step),
    "rollback": (("service", "revision"), "can_rollback_consumer", _rollback),
    "replay": (("consumer", "entries"), "can_replay", _replay),
    "retire": (("type", "version"), "can_retire", _retire),
}
