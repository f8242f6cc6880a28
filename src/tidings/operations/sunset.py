"""Versions whose date has come: they end, unless a service still writes them; who forces one is written down."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tidings.operations.census import census
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.host import Check
from tidings.store.versions import EventVersion
from tidings.versions.census import Kind
from tidings.versions.sunset import ended_early, may_end, nearing

WHO = "tidings"
"""Who did it, for the audit, where nobody was asked."""


async def end_what_is_over(store: StoreDriver, *, strict: bool) -> int:
    """End each deprecated version whose date has come and that no service writes; return how many there were.

    `strict`: though services write it, which are refused from then on. From outside nothing of it is taken any more.
    """
    deprecated = [
        each for each in await store.event_versions() if each.life == "deprecated" and each.sunset is not None
    ]
    if not deprecated:
        return 0
    now = (await store.tallies(after=2**62)).now
    return sum([await _end(store, each, strict=strict) for each in deprecated if (each.sunset or 0) <= now])


async def _end(store: StoreDriver, of: EventVersion, *, strict: bool) -> int:
    change = Change(who=WHO, what="version-ended", on=f"{of.type} {of.version}", reason="its date has come")
    async with store.deciding(of.type) as deciding:
        known = await census(deciding)
        row = known.of_type(of.type).get(of.version)
        if row is None or row.life != "deprecated" or may_end(known, row, strict=strict):
            return 0
        gate = "closing" if row.is_produced else row.gate
        async with deciding.changing(change) as changing:
            await changing.write_version(replace(row, life="sunset", gate=gate, by_hand=True))
    return 1


async def note_forced(store: StoreDriver, kinds: Collection[Kind]) -> None:
    """Write down that events of these versions were appended though they were not open."""
    for type, version in sorted(kinds):
        async with store.deciding(type) as deciding:
            found = {each.version: each for each in await deciding.event_versions(type)}
            row = found.get(version)
            if row is None or row.forced is not None or row.gate == "open":
                continue
            now = (await deciding.tallies(after=2**62)).now
            change = Change(who=WHO, what="version-forced", on=f"{type} {version}", reason="the policy is to warn")
            async with deciding.changing(change) as changing:
                await changing.write_version(replace(row, forced=now))


async def sunset_check(store: StoreDriver) -> Check:
    """Say which versions services write that end soon, or ought to have ended, and which ended before their date: a
    problem once one is overdue, or ended early."""
    known = await census(store)
    found, early = list(nearing(known)), list(ended_early(known))
    text = "; ".join([*early, *(each.text for each in found)]) or None
    if early or any(each.is_overdue for each in found):
        return Check("versions", text)
    return Check("versions", note=text)
