"""How scopes stand that are reconciled, as metrics: what is kept of them, so that every process shows the same, and
what this process has read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from tidings.ports import Clock
from tidings.reconciliation.asof import Bounds
from tidings.reconciliation.rules.purses import Priority
from tidings.reconciliation.runs.budget import Budget
from tidings.reconciliation.scope import Reconciliation
from tidings.telemetry import table
from tidings.telemetry.series import Counter, Gauge, Histogram, Labels, Series
from tidings.telemetry.table import Metric

LOOK_SECONDS = 2.0


class ScopeMetrics:
    """Counts what is read, and looks at most once a second how far copies are proved."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scopes: Mapping[str, Reconciliation] = {}
        self._looking = asyncio.Lock()
        self._looked = float("-inf")
        self._found: Sequence[tuple[Bounds, Mapping[str, int]]] = ()
        self.pages = Counter(table.RECONCILE_PAGES)
        self.seconds = Histogram(table.RECONCILE_SECONDS)
        self.breaches = Counter(table.RECONCILE_BREACHES)

    def watch(self, scopes: Mapping[str, Reconciliation]) -> None:
        """Be told which scopes there are."""
        self._scopes = scopes

    async def look(self) -> Sequence[Series]:
        """Return everything. What the store does not answer now is left out."""
        async with self._looking:
            now = self._clock.monotonic()
            if now - self._looked >= 1.0:
                self._found = await self._look()
                self._looked = now
        budgets = self._budgets
        own = (self.pages, self.seconds, self.breaches)
        return [*own, *_bounds(self._found, self._clock.now_us()), *_kept(self._found), *_providers(budgets)]

    @property
    def _budgets(self) -> Mapping[str, Budget]:
        return {each.scope.account or name: each.budget for name, each in self._scopes.items()}

    async def _look(self) -> Sequence[tuple[Bounds, Mapping[str, int]]]:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                for budget in self._budgets.values():
                    await budget.look()
                return [(await each.asof(), await each.counts()) for each in self._scopes.values()]
        except Exception:
            return ()


def _bounds(found: Sequence[tuple[Bounds, Mapping[str, int]]], now: int) -> Iterator[Gauge]:
    bounds = [each for each, _ in found]
    kinds = [
        (each.scope, kind, at) for each in bounds for kind, at in (("upsert", each.upserts), ("delete", each.deletes))
    ]
    yield Gauge(table.ASOF, [((scope, kind), at / 1_000_000) for scope, kind, at in kinds if at is not None])
    began = {each.scope: each.began for each in bounds}
    ages = [(scope, kind, began[scope] if at is None else at) for scope, kind, at in kinds]
    yield Gauge(table.STALENESS, [((scope, kind), (now - at) / 1e6) for scope, kind, at in ages if at is not None])
    yield Gauge(table.EXPECTED, [((each.scope,), each.expected / 1e6) for each in bounds if each.expected is not None])
    yield Gauge(table.PROVIDER_AHEAD, [((each.scope,), each.provider_ahead / 1e6) for each in bounds])
    yield Gauge(table.EXCEPTIONS, [((each.scope,), len(each.exceptions)) for each in bounds])
    states = [(each.scope, each.run is not None and each.run.state == "held") for each in bounds]
    yield Gauge(table.RECONCILE_HELD, [((scope,), is_held) for scope, is_held in states])


def _kept(found: Sequence[tuple[Bounds, Mapping[str, int]]]) -> Iterator[Series]:
    for metric, kind in (
        (table.RECONCILE_OPEN, "open"),
        (table.RECONCILE_SUSPECTS, "suspect"),
        (table.RECONCILE_DIRTY, "dirty"),
    ):
        yield Gauge(metric, [((each.scope,), counts.get(kind, 0)) for each, counts in found])
    records = [(each.scope, each.record) for each, _ in found]
    yield _counted(table.VIOLATIONS, {(scope,): record.violations for scope, record in records})
    yield _counted(table.RECONCILE_LATE, {(scope,): record.late for scope, record in records})
    made: dict[Labels, float] = {
        (scope, *kind.split("/")): n for scope, record in records for kind, n in record.corrections.items()
    }
    yield _counted(table.CORRECTIONS, made)
    lates = Histogram(table.RECONCILE_LATES)
    for scope, record in records:
        lates.add((scope,), record.lates.counts, record.lates.total)
    yield lates


def _counted(metric: Metric, values: Mapping[Labels, float]) -> Counter:
    counter = Counter(metric)
    counter.values.update(values)
    return counter


def _providers(budgets: Mapping[str, Budget]) -> Iterator[Gauge]:
    tokens = [((name, each.name.lower()), budget.tokens(each)) for name, budget in budgets.items() for each in Priority]
    yield Gauge(table.PROVIDER_TOKENS, tokens)
    yield Gauge(table.PROVIDER_PAUSED, [((name,), budget.paused) for name, budget in budgets.items()])
