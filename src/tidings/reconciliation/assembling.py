"""Scopes put together: a copy of what a provider lists, what a receiver lists of what it was sent, a party's items."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, cast

from tidings.events.catalog import Catalog
from tidings.events.envelope import Entry
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.reconciliation.copy.copying import Copying
from tidings.reconciliation.copy.differing import Differing
from tidings.reconciliation.copy.mirror import Mirror, mirror_name
from tidings.reconciliation.copy.refolding import Refolding
from tidings.reconciliation.copy.repairing import Repairs
from tidings.reconciliation.listing import CopyScope, EndpointScope, Listing, Scope
from tidings.reconciliation.outbound.answering import AnsweringSent
from tidings.reconciliation.outbound.listed import Listed
from tidings.reconciliation.outbound.noting import NamesMessage, Noting
from tidings.reconciliation.outbound.party.answering import AnsweringHeld
from tidings.reconciliation.outbound.party.deciding import Deciding
from tidings.reconciliation.outbound.party.holds import PartyScope
from tidings.reconciliation.outbound.party.knowing import Knowing
from tidings.reconciliation.outbound.party.pushing import Pushing
from tidings.reconciliation.outbound.party.states import States
from tidings.reconciliation.outbound.party.taking import TakingHeld
from tidings.reconciliation.outbound.sending import Findings
from tidings.reconciliation.outbound.taking import TakingSent
from tidings.reconciliation.rules.facts import Order, micros
from tidings.reconciliation.rules.stamps import Stamps
from tidings.reconciliation.runs.answering import Answering
from tidings.reconciliation.runs.beginning import Beginning
from tidings.reconciliation.runs.budget import Budget
from tidings.reconciliation.runs.changes import Changes
from tidings.reconciliation.runs.changing import Changing
from tidings.reconciliation.runs.drift import Drift
from tidings.reconciliation.runs.holding import Holding, HoldingChanges
from tidings.reconciliation.runs.parking import Parking
from tidings.reconciliation.runs.purging import Purging
from tidings.reconciliation.runs.reading import Asking
from tidings.reconciliation.runs.running import Running
from tidings.reconciliation.runs.taking import Taking
from tidings.reconciliation.runs.verifying import Verifying
from tidings.reconciliation.scope import Parts, Reconciliation
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewTable
from tidings.views.declaration import ViewSpec

PERIOD_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Ground:
    """What all scopes of an application stand on. `owner`: the name of this process."""

    catalog: Catalog
    store: StoreDriver
    log: Log
    ports: Ports
    owner: str


def of_copy(
    scope: CopyScope,
    view: ViewSpec,
    ground: Ground,
    *,
    budget: Budget,
    reads: Callable[[Entry], Any],
    table: Callable[[], Awaitable[ViewTable | None]],
) -> Reconciliation:
    """Return the scope of a copy. `reads`: an entry as an event; `table`: what the copy is read from."""
    store, ports, facts = ground.store, ground.ports, scope.listing.facts
    copying = lru_cache(maxsize=4)(lambda secret: Copying(view, facts, secret))
    repairs = Repairs(scope.name, scope.listing, ground.catalog)
    holding, asking = _ways(scope, ground, budget)
    differing = Differing(copying(b""), table)
    answering, taking = (
        Answering(facts.capability, repairs, differing, _period(scope)),
        Taking(facts.capability, repairs, differing, by_key=facts.order is Order.KEY),
    )
    definition = definition_of(scope, repr(facts), view.shape)
    refolding = Refolding(ground.log, scope, copying=copying, reads=reads)
    beginning = Beginning(facts, definition, ports)
    verifying = Verifying(holding, asking, copying=copying, answering=answering)
    parts = Parts(
        definition=definition,
        beginning=beginning,
        running=Running(holding, asking, copying=copying, taking=taking, verifying=verifying, beginning=beginning),
        verifying=verifying,
        changing=Changing(
            HoldingChanges(scope.name, store, ports, ground.owner),
            asking,
            copying=copying,
            taking=Changes(taking),
            definition=definition,
        ),
        mirror=Mirror(scope, copying=copying, reads=reads, table=table, ports=ports),
        drift=Drift(holding, store, refolding),
        purging=Purging(holding, facts, copying=copying, table=table),
        parking=Parking(holding, store, mirror_name(scope), repairs),
        view=view.name,
    )
    return Reconciliation(scope, parts, store=store, ports=ports, budget=budget)


def of_endpoint(scope: EndpointScope, ground: Ground, *, budget: Budget, names: NamesMessage) -> Reconciliation:
    """Return the scope of an endpoint. `names`: the id under which its receiver knows a delivery."""
    facts, store, ports = scope.listing.facts, ground.store, ground.ports
    by_key = facts.order is Order.KEY
    holding, asking = _ways(scope, ground, budget)
    findings = Findings(scope.name)
    listed = Listed(by_key=by_key)
    definition = definition_of(scope, repr(facts), scope.endpoint)
    # Where it stands in a list by anything else is not known here of what was sent.
    beginning = Beginning(facts if by_key else replace(facts, order=Order.NONE), definition, ports)
    answering = AnsweringSent(findings, _period(scope))
    verifying = Verifying(holding, asking, copying=lambda _: listed, answering=answering, places=Listed.at)
    noting = Noting(scope, holding, store=store, log=ground.log, names=names)
    running = Running(
        holding,
        asking,
        copying=lambda _: listed,
        taking=TakingSent(findings, noting, by_key=by_key, is_whole=not by_key and facts.proves_absence),
        verifying=verifying,
        beginning=beginning,
    )
    parts = Parts(definition=definition, beginning=beginning, running=running, verifying=verifying, holds="repeat")
    return Reconciliation(scope, parts, store=store, ports=ports, budget=budget)


def of_party(scope: PartyScope, ground: Ground, *, budget: Budget) -> Reconciliation:
    """Return the scope of a party, with what its pushes are made by."""
    facts, store, ports, holds = scope.listing.facts, ground.store, ground.ports, scope.holds
    by_key = facts.order is Order.KEY
    holding, asking = _ways(scope, ground, budget)
    states = lru_cache(maxsize=4)(lambda secret: States(holds.fields, secret, by_key=by_key))
    # It tells what was taken over: what a listing has to have for that is checked where the scope is declared.
    repairs = Repairs(scope.name, cast(Listing, scope.listing), ground.catalog)
    deciding = Deciding(scope, states=states, findings=Findings(scope.name), repairs=repairs)
    knowing = Knowing(holding, facts, store=store, by_key=by_key)
    definition = definition_of(scope, repr(facts), repr(holds))
    beginning = Beginning(facts if by_key else replace(facts, order=Order.NONE), definition, ports)
    answering = AnsweringHeld(scope.name, deciding, knowing, _period(scope))
    verifying = Verifying(holding, asking, copying=states, answering=answering, places=Listed.at)
    is_whole = not by_key and facts.proves_absence
    taking = TakingHeld(scope.name, deciding, knowing, by_key=by_key, is_whole=is_whole)
    parts = Parts(
        definition=definition,
        beginning=beginning,
        running=Running(holding, asking, copying=states, taking=taking, verifying=verifying, beginning=beginning),
        verifying=verifying,
        pushing=Pushing(scope, store=store, ports=ports, states=states),
        holds="repair",
    )
    return Reconciliation(scope, parts, store=store, ports=ports, budget=budget)


def _ways(scope: Scope, ground: Ground, budget: Budget) -> tuple[Holding, Asking]:
    holding = Holding(scope.name, ground.store, ground.ports, ground.owner)
    return holding, Asking(scope.listing, budget, Stamps(scope.listing.facts), holding)


def _period(scope: Scope) -> int:
    return micros(scope.every) if isinstance(scope.every, timedelta) else PERIOD_US


def definition_of(scope: Scope, *parts: str) -> str:
    """Return what names what is compared with what. An adapter says by `definition` what it lists, as by a filter."""
    listing = type(scope.listing)
    filtered = str(getattr(scope.listing, "definition", ""))
    said = (scope.name, f"{listing.__module__}.{listing.__qualname__}", scope.account, filtered, *parts)
    return blake2b("\n".join(said).encode(), digest_size=8).hexdigest()
