"""What a user declares of a party: what it should hold of ours, and what is done about what it holds otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias, get_args

from tidings.errors import DeclarationError
from tidings.reconciliation.listing import Row, Scope
from tidings.services.delivery import Delivery

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

    def check(self, scope: str, listing: object) -> None:
        """DeclarationError if it cannot be kept."""
        if not self.fields:
            raise DeclarationError(f"{scope}: name the fields that are ours, fields={{'price': 'ours'}}")
        for name, policy in self.fields.items():
            if policy not in _WORDS and not callable(policy):
                raise DeclarationError(
                    f'{scope}: {name}={policy!r:.80} is none of "ours", "theirs", "ask", nor a function that merges'
                )
        if self.absent not in get_args(Absent):
            raise DeclarationError(f'{scope}: absent={self.absent!r} is none of "recreate", "accept", "ask"')
        if self.key_life <= timedelta(0):
            raise DeclarationError(f"{scope}: key_life={self.key_life} is no time at all")
        if self.removes is not None and self.removed_by is None:
            raise DeclarationError(f"{scope}: removes=… needs a delivery that does it, removed_by=…")
        takes = any(policy == "theirs" or callable(policy) for policy in self.fields.values())
        if takes and not hasattr(listing, "observed"):
            raise DeclarationError(f"{scope}: what is taken over is told by an event: give its listing observed(row)")
        if self.absent == "accept" and not hasattr(listing, "deleted"):
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


def _named(what: object) -> str:
    return what if isinstance(what, str) else str(getattr(what, "__qualname__", type(what).__qualname__))
