"""Opening and closing gates, deprecating and retiring: each asks the planner in the transaction in which it decides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tidings.errors import CallerError, NotFoundError, RefusedError
from tidings.operations.census import census
from tidings.operations.planner import answered
from tidings.store.audit import Change, What
from tidings.store.driver import StoreDriver
from tidings.store.versions import EventVersion, Gate, no_version
from tidings.versions.answer import Answer, Reason
from tidings.versions.census import Census
from tidings.versions.predicates import lands, may_retire, may_switch
from tidings.versions.reasons import classes, instances
from tidings.versions.reasons.names import second_of

Judge = Callable[[Census, EventVersion], list[Reason]]
Changed = Callable[[EventVersion, int, bool], EventVersion]
"""Returns what becomes of a version at a time, in µs since 1970, and whether no is overruled by it. RefusedError."""


class _NoError(Exception):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Gatekeeping:
    """What may be done with a version. `who`: as the audit names them; `reason`: theirs. `forced`: whatever is said.
    `assume`: consumers that count as they ran last, if nothing of them runs, which the audit keeps.

    Each returns the answer it decided by. It is done if that is `ok`, or was forced. NotFoundError; RefusedError.
    """

    def __init__(
        self,
        store: StoreDriver,
        *,
        who: str,
        reason: str = "",
        forced: bool = False,
        assume: Collection[str] = (),
    ) -> None:
        self._store = store
        self._assume = assume
        self._who = who
        self._reason = reason
        self._forced = forced

    async def open(self, type: str, version: int) -> Answer:
        """Let a version be appended: every service that emits it may switch."""
        return await self._decide(type, version, "version-opened", _may_open, _opened)

    async def close(self, type: str, version: int) -> Answer:
        """Have a version appended no more, once every process that emits it knows. Another one has to be open."""
        return await self._decide(type, version, "version-closed", _may_close, _closed)

    async def deprecate(self, type: str, version: int, *, sunset: int | None, migration: str) -> Answer:
        """Say that a version ends, and when, in µs since 1970. A date may move later, never earlier.

        One that has ended goes on until a later date; its gate, if it is shut by then, may be opened again.
        `migration`: the URL of a page, or "". CallerError if it is none."""
        _check_page(migration)

        def dated(each: EventVersion, now: int, overrules: bool) -> EventVersion:
            _check_date(each, sunset, now)
            gate: Gate = "open" if each.life == "sunset" and each.gate == "closing" else each.gate
            return replace(
                each,
                life="deprecated",
                deprecated=each.deprecated or now,
                sunset=sunset,
                migration=migration or each.migration,
                gate=gate,
            )

        return await self._decide(type, version, "version-deprecated", _may_deprecate, dated)

    async def keep(self, type: str, version: int) -> Answer:
        """Take back that a version ends, before it has ended."""

        def kept(each: EventVersion, now: int, overrules: bool) -> EventVersion:
            if each.life not in ("active", "deprecated"):
                raise RefusedError(f"{type} {version} is {each.life}: move its date later first")
            return replace(each, life="active", deprecated=None, sunset=None, migration="")

        return await self._decide(type, version, "version-kept", _may_keep, kept)

    async def retire(self, type: str, version: int) -> Answer:
        """End a version for good: its number is never used again. Nothing of it may be under way or pinned."""
        return await self._decide(type, version, "version-retired", may_retire_row, _retired)

    async def _decide(self, type: str, version: int, what: What, judge: Judge, changed: Changed) -> Answer:
        change = Change(who=self._who, what=what, on=f"{type} {version}", reason=self._told)
        try:
            async with self._store.changing(change) as changing, changing.deciding(type) as deciding:
                known = await census(deciding, assume=self._assume)
                row = known.of_type(type).get(version)
                if row is None:
                    raise no_version(type, str(version), ((each.type, each.version) for each in known.versions))
                answer = answered(_question(what, type, version), judge(known, row), known)
                if answer.answer != "ok" and not self._forced:
                    raise _NoError(answer)
                await deciding.write_version(changed(row, known.as_of.time, answer.answer != "ok"))
        except _NoError as no:
            return no.answer
        return answer

    @property
    def _told(self) -> str:
        told = f"forced: {self._reason}" if self._forced else self._reason
        if not self._assume:
            return told
        return f"{told} (as {', '.join(sorted(self._assume))} ran last)".lstrip()


async def forget(store: StoreDriver, consumer: str, *, who: str, reason: str = "") -> None:
    """Wait no more for a consumer that is gone for good. NotFoundError; RefusedError if an instance of it runs."""
    known = await census(store)
    said = [each for each in known.leases if each.role == "accept" and each.consumer == consumer]
    if not said:
        raise NotFoundError("consumer", consumer, {each.consumer for each in known.live("accept")})
    if consumer not in known.assumed and any(each.is_live(known.as_of.time) for each in said):
        raise RefusedError(f"an instance of {consumer} runs: stop it first")
    async with store.changing(Change(who=who, what="consumer-forgotten", on=consumer, reason=reason)) as changing:
        await changing.forget_leases(consumer)


async def settle_closing(store: StoreDriver) -> int:
    """Close each version that is closing, once all who emit its type know it and none waits to be appended."""
    types = {each.type for each in await store.event_versions() if each.gate == "closing"}
    return sum([await _settle(store, type) for type in sorted(types)])


async def _settle(store: StoreDriver, type: str) -> int:
    async with store.deciding(type) as deciding:
        known = await census(deciding)
        done = [each for each in known.of_type(type).values() if each.gate == "closing" and _is_known(known, each)]
        for each in done:
            await deciding.write_version(replace(each, gate="closed"))
    return len(done)


async def open_what_may(store: StoreDriver, emitted: Mapping[str, Mapping[str, frozenset[int]]]) -> int:
    """Open each version that a producer here emits and that all accept, unless it was closed by hand.

    `emitted`: by service, by type."""
    opened = 0
    known = await census(store)
    for service, types in emitted.items():
        for type, versions in types.items():
            opened += await _open_of_type(store, known, service, type, versions)
    return opened


async def _open_of_type(store: StoreDriver, known: Census, service: str, type: str, versions: frozenset[int]) -> int:
    if not service and any(each.service for each in known.live("emit", type)):
        return 0  # a service says that it emits the type: it is for that one to switch
    opened = 0
    for version in sorted(versions):
        row = known.of_type(type).get(version)
        if row is not None and _is_to_open(row) and _is_ok(may_switch(known, service, type, version)):
            opened += await _open(store, service, type, version)
    return opened


async def _open(store: StoreDriver, service: str, type: str, version: int) -> int:
    async with store.deciding(type) as deciding:
        known = await census(deciding)
        row = known.of_type(type).get(version)
        if row is None or not _is_to_open(row) or not _is_ok(may_switch(known, service, type, version)):
            return 0
        await deciding.write_version(replace(row, gate="open", forced=None))
    return 1


def _is_to_open(row: EventVersion) -> bool:
    return row.gate == "closed" and row.life == "active" and not row.by_hand


def _is_ok(found: list[Reason]) -> bool:
    return all(each.answer == "ok" for each in found)


def _is_known(known: Census, row: EventVersion) -> bool:
    """Say whether nothing of this version can be appended any more."""
    told = all(each.gate_epoch >= row.epoch for each in known.live("emit", row.type))
    return told and not any(each.version == row.version for each in known.outbox(row.type))


def _may_open(known: Census, row: EventVersion) -> list[Reason]:
    producers = sorted({each.service for each in known.live("emit", row.type) if row.version in each.versions}) or [""]
    found: list[Reason] = []
    for producer in producers:
        told = may_switch(known, producer, row.type, row.version, lives=("active", "deprecated"))
        found += [each for each in told if each not in found]
    return found


def _may_close(known: Census, row: EventVersion) -> list[Reason]:
    """Whoever appends this version, be it its own or one that it is brought down to, must have another open one."""
    open_ = frozenset(number for number, each in known.of_type(row.type).items() if each.gate == "open")
    emitting = known.live("emit", row.type)
    stuck = [each for each in emitting if lands(each, open_) and not lands(each, open_ - {row.version})]
    return [instances.cannot_fall_back(each, row.type, row.version) for each in stuck]


def _may_deprecate(known: Census, row: EventVersion) -> list[Reason]:
    newer = [each for each in known.of_type(row.type).values() if each.version > row.version and each.life == "active"]
    return [] if newer else [classes.no_successor(row.type, row.version)]


def may_retire_row(known: Census, row: EventVersion) -> list[Reason]:
    return may_retire(known, row.type, row.version)


def _may_keep(known: Census, row: EventVersion) -> list[Reason]:
    return []


def _check_page(url: str) -> None:
    """CallerError for what is no address of a page: it goes into headers, and is followed from there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    is_page = parts.scheme in ("http", "https") and parts.hostname and not any(each.isspace() for each in parts.netloc)
    if url and not is_page:
        raise CallerError(f"migration: {url[:80]!r} is no address of a page: write it whole, as https://example.org/v2")


def _check_date(row: EventVersion, sunset: int | None, now: int) -> None:
    """RefusedError for a date that is over, or earlier than the one that was said."""
    name = f"{row.type} {row.version}"
    if row.life == "retired":
        raise RefusedError(f"{name} is retired: declare another version")
    if row.sunset is not None and (sunset is None or sunset < row.sunset):
        raise RefusedError(f"{name} ends {second_of(row.sunset)}: a date may move later, never earlier")
    if sunset is not None and sunset <= now and sunset != row.sunset:
        raise RefusedError(f"{name} cannot end {second_of(sunset)}, which is over: name a later date")
    if row.life == "sunset" and sunset == row.sunset and (sunset is None or sunset <= now):
        raise RefusedError(f"{name} has ended: name a later date, so that it goes on until then")


def _opened(row: EventVersion, now: int, overrules: bool) -> EventVersion:
    return replace(row, gate="open", by_hand=False, forced=now if overrules else None)


def _closed(row: EventVersion, now: int, overrules: bool) -> EventVersion:
    return row if row.gate == "closed" else replace(row, gate="closing", by_hand=True)


def _retired(row: EventVersion, now: int, overrules: bool) -> EventVersion:
    return replace(row, life="retired", gate="closed", by_hand=True)


def _question(what: What, type: str, version: int) -> Mapping[str, Any]:
    return {"kind": what, "type": type, "version": version}
