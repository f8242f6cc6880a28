"""What a user declares of a party: what it should hold of ours, and what is done about what it holds otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias, get_args

from tidings.errors import DeclarationError
from tidings.reconciliation.listing import Row, Scope
from tidings.reconciliation.rules.facts import check_span
from tidings.services.delivery import Delivery
from tidings.services.functions import check_call

Merge: TypeAlias = Callable[[Any, Any, Any], Any]
"""Given the value as the party had it of us last, None if it never did, ours, and theirs: returns the one to hold from
now on. Pure."""
Policy: TypeAlias = Literal["ours", "theirs", "ask"] | Merge
"""Of one field that somebody else has changed over there. `ours`: it is pushed again. `theirs`: it is taken over, and
an event tells so. `ask`: somebody has to decide, and nothing is sent of that item."""
Absent: TypeAlias = Literal["recreate", "accept", "ask"]
"""Of an item that the party had, and has no more. `recreate`: it is pushed again. `accept`: an event tells that it is
gone. `ask`: somebody has to decide."""
Push: TypeAlias = Callable[[Any, Delivery], Awaitable[None]]
_WORDS = ("ours", "theirs", "ask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """What a party should hold: what each call of a delivery has said last.

    `by`: the delivery that pushes an item; its payload is the item, with all of `fields`. `key`: the member of the
    payload that names it, as the party does. `fields`: those that we own, each with its policy; others are the party's.
    `absent`: see `Absent`. `key_life`: how long the party remembers an idempotency key; later it is asked for the item
    before that is pushed again. `removed_by`: the delivery that removes an item, whose payload has the key.
    `removes`: says of an item that is there and that nothing here knows of whether it has our mark and is to be
    removed, by `removed_by`, with the key alone; None: none ever is.
    """

    by: Push
    key: str
    fields: Mapping[str, Policy]
    absent: Absent = "ask"
    key_life: timedelta = timedelta(hours=24)
    removed_by: Push | None = None
    removes: Callable[[Row], bool] | None = None

    @property
    def tells(self) -> tuple[str, ...]:
        """What of an adapter tells of what is decided for the party's side, by an event."""
        takes = any(policy == "theirs" or callable(policy) for policy in self.fields.values())
        return (*(["observed"] if takes else []), *(["deleted"] if self.absent == "accept" else []))

    def check(self, scope: str, listing: object) -> None:
        """DeclarationError if it cannot be kept."""
        if not isinstance(self.key, str) or not self.key:
            raise DeclarationError(f"{scope}: key={self.key!r:.80} names no member of the payload: write key='sku'")
        fields = self.fields if isinstance(self.fields, Mapping) else {}
        if not fields or not all(isinstance(name, str) for name in fields):
            raise DeclarationError(f"{scope}: name the fields that are ours, fields={{'price': 'ours'}}")
        for name, policy in fields.items():
            _check_policy(f"{scope}: {name}", policy)
        if self.absent not in get_args(Absent):
            raise DeclarationError(f'{scope}: absent={self.absent!r} is none of "recreate", "accept", "ask"')
        try:
            check_span("key_life", self.key_life)
        except DeclarationError as error:
            raise DeclarationError(f"{scope}: {error}") from None
        if self.removes is not None:
            _check_removes(scope, self.removes, self.removed_by)
        if "observed" in self.tells and not hasattr(listing, "observed"):
            raise DeclarationError(f"{scope}: what is taken over is told by an event: give its listing observed(row)")
        if "deleted" in self.tells and not hasattr(listing, "deleted"):
            raise DeclarationError(f"{scope}: what is gone is told by an event: give its listing deleted(key)")

    def __repr__(self) -> str:
        """Name what decides, the same in every process: another one begins with a dry run."""
        policies = ", ".join(f"{name}={_named(policy)}" for name, policy in sorted(self.fields.items()))
        removes = "" if self.removes is None else _named(self.removes)
        return f"Holds({_named(self.by)}, {self.key}, {policies}, {self.absent}, {self.key_life}, {removes})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyScope(Scope):
    """What a party should hold of what a service owns, as against what it lists."""

    holds: Holds


def _check_policy(said: str, policy: object) -> None:
    if policy in _WORDS:
        return
    if not callable(policy):
        raise DeclarationError(f'{said}={policy!r:.80} is none of "ours", "theirs", "ask", nor a function that merges')
    try:
        check_call(policy, form="`def merge(base, ours, theirs)`", must_be="plain", arguments=3)
    except DeclarationError as error:
        called = getattr(policy, "__qualname__", repr(policy))
        raise DeclarationError(f"{said}={called} is no function that merges (base, ours, theirs): {error}") from None


def _check_removes(scope: str, removes: object, by: object) -> None:
    if by is None:
        raise DeclarationError(f"{scope}: removes=… needs a delivery that does it, removed_by=…")
    try:
        check_call(removes, form="`def has_our_mark(row)`", must_be="plain", arguments=1)
    except DeclarationError as error:
        raise DeclarationError(f"{scope}: removes=…: {error}") from None


def _named(what: object) -> str:
    return what if isinstance(what, str) else str(getattr(what, "__qualname__", type(what).__qualname__))
