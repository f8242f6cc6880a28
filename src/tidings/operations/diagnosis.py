"""What an operator has looked at who asks whether all is well: what readiness asks, and the machine beneath."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tidings.log.log import Log
from tidings.operations.checks import Check, Checks
from tidings.ports import Ports
from tidings.services.service import Service
from tidings.settings import IN_MEMORY, Settings
from tidings.store.driver import StoreDriver

DISK_BYTES = 1 << 30
AHEAD_SECONDS = 60


async def diagnose(
    settings: Settings, log: Log, store: StoreDriver, ports: Ports, services: Sequence[Service] | None
) -> tuple[Check, ...]:
    """Return all checks in order: those of readiness, then disk and clock."""
    found = await Checks(settings, log, store, ports, services).run()
    if any(check.problem for check in found if check.name == "log"):
        return (*found, _disk(settings))
    return (*found, _disk(settings), await _clock(log, ports))


def _disk(settings: Settings) -> Check:
    if settings.sqlite_path == IN_MEMORY:
        return Check("disk")
    folder = Path(settings.sqlite_path).resolve().parent
    free = shutil.disk_usage(folder).free
    if free >= DISK_BYTES:
        return Check("disk")
    return Check("disk", f"{folder} has {free >> 20:,} MiB left: make room before appends are refused")


async def _clock(log: Log, ports: Ports) -> Check:
    """Compare this machine's clock with the newest entry: times are stamped by it, and folds go by them."""
    head = (await log.head()).position
    newest = await log.at([head])
    ahead = (newest[-1].recorded - ports.clock.now_us()) / 1_000_000 if newest else 0
    if ahead <= AHEAD_SECONDS:
        return Check("clock")
    return Check("clock", f"it is {ahead:,.0f} s behind the log's newest entry: set this machine's clock")
