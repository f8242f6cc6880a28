"""What is said to be reconciled, checked where it is said: what cannot be is refused with what to write."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import is_dataclass, replace
from datetime import timedelta

import msgspec

from tidings.errors import DeclarationError, InvalidConfigurationError
from tidings.events.declaration import declared_class, is_pydantic, members_of, value_class
from tidings.operations import endpoint_ids
from tidings.reconciliation.adapters import check_adapter
from tidings.reconciliation.listing import CopyScope, EndpointScope, Scope
from tidings.reconciliation.outbound.party.holds import Holds, PartyScope
from tidings.reconciliation.rules.facts import Capability, check_span
from tidings.reconciliation.rules.times import Every, checked_every
from tidings.services.functions import Function
from tidings.services.service import Service
from tidings.views.declaration import ViewSpec

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def checked_copy(scope: CopyScope, views: Sequence[ViewSpec], others: Iterable[Scope]) -> CopyScope:
    """Return a scope, once it is known whose view it keeps. DeclarationError if it is nobody's, or folds make it."""
    name = scope.name
    _check(scope, others, tells=("observed", "deleted", "read"))
    found = next((each for each in views if each.row is value_class(scope.view)), None)
    if found is None:
        called = getattr(scope.view, "__qualname__", repr(scope.view))
        raise DeclarationError(f"{called} is no view of a service: write @orders.view(key=('id',)) above it")
    if found.folds or found.mode != "async" or len(found.key) != 1:
        raise DeclarationError(
            f"{found} cannot be a copy: that is a view with one member as its key and without folds, which only what "
            "is reconciled writes"
        )
    folding = [each for each in views if each.folds and (each.service, each.name) == (found.service, name)]
    if folding:
        raise DeclarationError(f"the copy {name} and {folding[0]} would be one consumer: give the scope another name")
    keeping = [each.name for each in others if isinstance(each, CopyScope) and each.view is found.row]
    if keeping:
        raise DeclarationError(f"{name}: {found} is the copy of {keeping[0]}: give each scope a view of its own")
    if not scope.events:
        raise DeclarationError(_no_events(name))
    if scope.changes_every is not None and not scope.listing.facts.filters_by_change:
        raise DeclarationError(f"{name}: every=(…, {scope.changes_every}), and its listing does not filter by change")
    return replace(scope, service=found.service, view=found.row)


def checked_endpoint(scope: EndpointScope, others: Iterable[Scope]) -> EndpointScope:
    """Return a scope of what is sent to an endpoint, once it is known to be one. DeclarationError."""
    _check(scope, others)
    try:
        endpoint_ids.checked(scope.endpoint)
    except (InvalidConfigurationError, TypeError):
        said = f"{scope.name}: endpoint={scope.endpoint!r:.80} is no id of an endpoint"
        raise DeclarationError(f"{said}: {endpoint_ids.RULE}") from None
    _check_timed(scope, "what a receiver took does not change, so its list has no versions")
    _check_span(scope, "window", scope.window)
    return scope


def checked_party(scope: PartyScope, services: Sequence[Service], others: Collection[Scope]) -> PartyScope:
    """Return a scope of a party, once it is known whose delivery pushes its items. DeclarationError."""
    _check(scope, others)
    holds = scope.holds
    if not isinstance(holds, Holds):
        raise DeclarationError(f"{scope.name}: {holds!r:.80} says nothing that a party holds: write Holds(by=…, key=…)")
    holds.check(scope.name, scope.listing)
    check_adapter(scope.name, scope.listing, holds.tells)
    _check_timed(scope, "what a party should hold is compared without versions")
    pushes = [holds.by, *([] if holds.removed_by is None else [holds.removed_by])]
    declared = {one.call: (each, one) for each in services for one in each.functions.values()}
    for each in pushes:
        if not callable(each) or each not in declared:
            called = getattr(each, "__qualname__", repr(each))
            raise DeclarationError(
                f"{scope.name}: {called} is no delivery of the service: write @orders.delivery above it"
            )
        _check_payload(scope, declared[each][1], (holds.key, *(holds.fields if each is holds.by else ())))
    taken = [each.name for each in others if isinstance(each, PartyScope) for one in pushes if _pushes(each, one)]
    if taken:
        raise DeclarationError(f"{scope.name}: what it is pushed by is that of {taken[0]}: give each party its own")
    return replace(scope, service=declared[holds.by][0].name)


def event_classes(name: str, events: Sequence[type]) -> tuple[type, ...]:
    """Return the classes of events that a scope reads. DeclarationError, also if they are none."""
    if isinstance(events, str | type) or not isinstance(events, Iterable):
        raise DeclarationError(_no_events(name))
    return tuple(declared_class(each).cls for each in events)


def times_of(name: str, every: Every | tuple[Every, Every] | None) -> tuple[Every | None, Every | None]:
    """Return when a scope reads the whole list, and when what has changed. DeclarationError if it is no pair."""
    if not isinstance(every, tuple):
        return every, None
    if len(every) != 2:
        raise DeclarationError(
            f"{name}: every={every!r:.80}: a pair is of the whole list and of what has changed, "
            "('0 3 * * *', timedelta(minutes=1))"
        )
    return every


def _no_events(name: str) -> str:
    return f"{name}: name the event classes that its listing reads, events=[…]"


def _check(scope: Scope, others: Iterable[Scope], tells: tuple[str, ...] = ()) -> None:
    name = scope.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DeclarationError(f"{name!r:.80} is no name of a scope: use small letters, digits and hyphens")
    check_adapter(name, scope.listing, tells)
    for every in (scope.every, scope.changes_every):
        if every is not None:
            checked_every(every, f"{name}: every")
    if not isinstance(scope.account, str):
        raise DeclarationError(f"{name}: account={scope.account!r:.80} is no name of one: write account='till'")
    for each in others:
        rates = each.listing.facts.rate, scope.listing.facts.rate
        if scope.account and each.account == scope.account and rates[0] != rates[1]:
            raise DeclarationError(
                f"{name}: its rate is {rates[1]}, and that of {each.name}, of the account {scope.account}, {rates[0]}: "
                "write one for both, what the account may be asked"
            )


def _check_timed(scope: Scope, why: str) -> None:
    if scope.listing.facts.capability is not Capability.EVENT_TIMED:
        raise DeclarationError(f"{scope.name}: {why}: declare capability=Capability.EVENT_TIMED")


def _check_span(scope: Scope, name: str, span: timedelta) -> None:
    try:
        check_span(name, span)
    except DeclarationError as error:
        raise DeclarationError(f"{scope.name}: {error}") from None


def _check_payload(scope: Scope, function: Function, names: Sequence[str]) -> None:
    """Of a payload whose members cannot be told, such as a dict, it is known when something is pushed."""
    payload = function.payload()
    if not isinstance(payload, type) or is_pydantic(payload):
        return
    if issubclass(payload, msgspec.Struct):
        members = {each.encode_name for each in msgspec.structs.fields(payload)}
    elif is_dataclass(payload):
        members = set(members_of(payload))
    else:
        return
    for name in names:
        if name not in members:
            raise DeclarationError(
                f"{scope.name}: {payload.__qualname__}, which {function.name} pushes, has no member {name}: it has "
                f"{', '.join(sorted(members))}"
            )


def _pushes(scope: PartyScope, function: object) -> bool:
    return function in (scope.holds.by, scope.holds.removed_by)
