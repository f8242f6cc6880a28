"""What an operator has looked at who asks whether all is well: what readiness asks, dead letters, and the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tidings.log.log import Log
from tidings.operations.carried import built_by_hand
from tidings.operations.checks import Checks
from tidings.operations.counts import total, totals_told
from tidings.operations.lag import is_held
from tidings.operations.reconciling import scopes_check
from tidings.operations.sunset import sunset_check
from tidings.ports import Ports
from tidings.reconciliation.scope import Reconciliation
from tidings.services.service import Service
from tidings.store.driver import StoreDriver
from tidings.store.host import Check, Host

AHEAD_SECONDS = 60
_LAST = 2**62
"""No entry stands higher: nothing is counted."""


async def diagnose(
    host: Host,
    log: Log,
    store: StoreDriver,
    ports: Ports,
    services: Sequence[Service] | None,
    scopes: Mapping[str, Reconciliation] = MappingProxyType({}),
) -> tuple[Check, ...]:
    """Return all checks in order: readiness's, the dead letters, rebuilds, versions that end, what is reconciled if
    anything is, the host's and the clock."""
    found = await Checks(host, log, store, ports, services).run()
    if not any(check.problem for check in found if check.name == "store"):
        found = (*found, await _letters(store), await _rebuilds(store, ports), await sunset_check(store))
        if scopes:
            found = (*found, await scopes_check(scopes, ports.clock.now_us()))
    beneath = await host.look()
    if any(check.problem for check in found if check.name == "log"):
        return (*found, *beneath)
    return (*found, *beneath, await _clock(log, store, ports))


async def _letters(store: StoreDriver) -> Check:
    """Say how many there are: a problem once some wait for an operator, a note while all are tried again."""
    totals = await total(store)
    told = f"{totals_told(totals)}: look with `tidings dead list`" if totals.letters else None
    return Check("dead letters", told) if totals.need_somebody else Check("dead letters", note=told)


async def _rebuilds(store: StoreDriver, ports: Ports) -> Check:
    """Say which tables were begun to be built anew that no process builds any more."""
    left = [
        f"nobody builds {name} any more: `tidings views rebuild {view}` goes on with it"
        for name, view in built_by_hand(await store.views()).items()
        if not any(is_held(each, ports.clock) for each in (await store.checkpoints(name)).values())
    ]
    return Check("rebuilds", "; ".join(left) or None)


async def _clock(log: Log, store: StoreDriver, ports: Ports) -> Check:
    """Compare this machine's clock with the newest entry: times are stamped by it, and folds go by them. And the
    store's with what was said by it of who runs."""
    head = (await log.head()).position
    newest = await log.at([head])
    ahead = (newest[-1].recorded - ports.clock.now_us()) / 1_000_000 if newest else 0
    if ahead > AHEAD_SECONDS:
        return Check("clock", f"it is {ahead:,.0f} s behind the log's newest entry: set this machine's clock")
    leases = await store.version_leases()
    now = (await store.tallies(after=_LAST)).now
    found = max((each for each in leases if each.is_ahead(now)), key=lambda each: each.renewed_at, default=None)
    ahead = 0 if found is None else (found.renewed_at - now) / 1_000_000
    if found is None or ahead <= AHEAD_SECONDS:
        return Check("clock")
    told = f"{found.instance} said {ahead:,.0f} s ahead of now that it runs, and counts as gone: a clock was set back"
    return Check("clock", told)
