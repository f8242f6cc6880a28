"""What requests that came to receivers are, each also by those before it: new, a repeat, or in conflict. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tidings.store.receipts import Identity, Judged, Owner, Received, SourceKey

_NONE, _FIRST = frozenset[int](), frozenset({0})


def judge(received: Sequence[Received], kept: Mapping[SourceKey, Owner], numbers: Sequence[int]) -> list[Judged]:
    """Judge requests in their order, each also by those before it. `numbers`: one for each, for what is new."""
    owners = dict(kept)
    return [_judge(each, owners, n) for each, n in zip(received, numbers, strict=True)]


def all_new(received: Sequence[Received], numbers: Sequence[int]) -> list[Judged]:
    """Return what `judge` says of requests that share no key with each other, nor with any that is kept."""
    return [Judged(n, "new", _places(each.identities)) for each, n in zip(received, numbers, strict=True)]


def _places(identities: Sequence[Identity]) -> frozenset[int]:
    if len(identities) == 1 and not identities[0].item:
        return _FIRST  # as of nearly all
    return frozenset([identity.item for identity in identities])


class _Items(NamedTuple):
    """The items of a request. `known`: who has those that came before; `others`: those with other content than what
    came first, and by no other key the same; `again`: those that stand there twice."""

    known: dict[int, Owner]
    others: frozenset[int]
    again: frozenset[int]


def _judge(received: Received, owners: dict[SourceKey, Owner], n: int) -> Judged:
    known, others, again = _items(received, owners)
    done = {item for item, owner in known.items() if not owner.failed}
    fresh = frozenset({identity.item for identity in received.identities} - done - others - again)
    if others:
        judged = _in_conflict(received, owners, Judged(n, "conflict", fresh if received.outcome == "stored" else _NONE))
    elif len(done) < len(known):
        return Judged(next(owner.n for owner in known.values() if owner.failed), "unfinished", fresh)
    elif known and not fresh:
        return Judged(next(iter(known.values())).n, "duplicate", fresh)
    else:
        judged = Judged(n, "new", fresh)
    for identity in bringing(received, judged):
        owner = Owner(identity.content, n, received.outcome == "failed")
        owners.setdefault((received.source, identity.key), owner)
    return judged


def _in_conflict(received: Received, owners: Mapping[SourceKey, Owner], judged: Judged) -> Judged:
    """Return it as a repeat of the one that is kept, if there is one, and nothing in it is new."""
    before = None if judged.fresh else owners.get((received.source, received.conflict.key))
    return judged if before is None else Judged(before.n, "duplicate", _NONE)


def _items(received: Received, owners: Mapping[SourceKey, Owner]) -> _Items:
    known: dict[int, Owner] = {}
    others, again = set[int](), set[int]()
    own: dict[str, Identity] = {}
    for identity in received.identities:
        owner = owners.get((received.source, identity.key))
        first = own.setdefault(identity.key, identity)
        if identity.content != (first if owner is None else owner).content:
            others.add(identity.item)
        elif owner is not None:
            known.setdefault(identity.item, owner)
        elif identity.item != first.item:
            again.add(identity.item)
    done = {item for item, owner in known.items() if not owner.failed}
    return _Items(known, frozenset(others - done) | received.refused, frozenset(again))


def bringing(received: Received, judged: Judged) -> Iterable[Identity]:
    """Return by what else the request is known from now on: of one in conflict, its new items, and its body."""
    if judged.verdict == "new":
        return received.identities
    if judged.verdict != "conflict":
        return ()
    return [*(identity for identity in received.identities if identity.item in judged.fresh), received.conflict]


def in_conflict(received: Sequence[Received], judged: Sequence[Judged]) -> list[tuple[Received, int]]:
    """Return those that are in conflict, each with its number."""
    return [(each, verdict.n) for each, verdict in zip(received, judged, strict=True) if verdict.verdict == "conflict"]


def keys_to_add(
    received: Sequence[Received], judged: Sequence[Judged], kept: Mapping[SourceKey, Owner]
) -> list[tuple[str, str, bytes, int]]:
    """Return the rows of keys that new requests bring: source, key, content, receipt; each key once."""
    pairs = zip(received, judged, strict=True)
    rows = {
        (each.source, identity.key): (each.source, identity.key, identity.content, verdict.n)
        for each, verdict in reversed([*pairs])  # so that the first who brought a key has it
        for identity in bringing(each, verdict)
    }
    return [row for place, row in rows.items() if place not in kept]


def repeats_of(received: Sequence[Received], judged: Sequence[Judged]) -> list[tuple[int, int, int]]:
    """Return for each repeat the number of what it repeats, when it came, and until when that is to be known."""
    pairs = zip(received, judged, strict=True)
    return [(verdict.n, each.received, each.forget_at) for each, verdict in pairs if is_repeat(verdict)]


def is_repeat(judged: Judged) -> bool:
    return judged.verdict in ("duplicate", "unfinished")
