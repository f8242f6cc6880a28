"""Six events about one row each, among them ties, repeats of one state, and an end before the beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations, product

from tests.unit.views.events import (
    Bookmarked,
    Left,
    Price,
    Priced,
    Renamed,
    Unbookmarked,
    bookmarks,
    envelope,
    fold,
    names,
    pasts,
    shelves,
)
from tidings.events.envelope import Envelope
from tidings.store.rows import Key
from tidings.views.declaration import Mode, ViewSpec


@dataclass(frozen=True, slots=True)
class Story:
    """A view, and the events of the row number n with their times."""

    view: Callable[[Mode], ViewSpec]
    tell: Callable[[str], Sequence[tuple[object, int]]]
    key: Callable[[str], Key]


def dearer(row: Price | None, event: Priced) -> Price:
    """Depend on the order: the price only rises, but a revision of zero takes it back."""
    if row is None or event.revision == 0:
        return Price(event.item, event.price)
    row.price = max(row.price, event.price) + 1
    return row


def prices(mode: Mode = "async") -> ViewSpec:
    folds = (fold(Priced, dearer),)
    return ViewSpec(service="chirp", row=Price, key=("item",), mode=mode, rank="revision", folds=folds)


def bookmarking(n: str) -> Sequence[tuple[object, int]]:
    put, take = Bookmarked(f"tweet-{n}", "jack"), Unbookmarked(f"tweet-{n}", "jack")
    return [(put, 1), (take, 2), (put, 3), (take, 3), (put, 2), (put, 5)]


def shelving(n: str) -> Sequence[tuple[object, int]]:
    user = f"user-{n}"
    return [
        (Bookmarked(f"a-{n}", user), 1),
        (Unbookmarked(f"a-{n}", user), 4),
        (Bookmarked(f"b-{n}", user), 3),
        (Unbookmarked(f"b-{n}", user), 2),
        (Bookmarked(f"b-{n}", user), 3),
        (Unbookmarked(f"c-{n}", user), 0),
    ]


def renaming(n: str) -> Sequence[tuple[object, int]]:
    user = f"user-{n}"
    told: list[tuple[object, int]] = [(Renamed(user, name), at) for name, at in (("A", 1), ("B", 2), ("C", 2))]
    return [*told, (Left(user), 3), (Renamed(user, "D"), 4), (Renamed(user, "A"), 4)]


def pricing(n: str) -> Sequence[tuple[object, int]]:
    item = f"item-{n}"
    return [(Priced(item, price, revision), 0) for price, revision in ((9, 1), (5, 2), (7, 2), (3, 0), (8, 4), (1, 5))]


STORIES = {
    "set-membership": Story(bookmarks, bookmarking, lambda n: ("jack", f"tweet-{n}")),
    "counter-of-many-subjects": Story(shelves, shelving, lambda n: (f"user-{n}",)),
    "last-writer": Story(names, renaming, lambda n: (f"user-{n}",)),
    "every-place-counts": Story(pasts, renaming, lambda n: (f"user-{n}",)),
    "ranked-by-a-member": Story(prices, pricing, lambda n: (f"item-{n}",)),
}


@dataclass(frozen=True, slots=True)
class Telling:
    """One order in which a row's events arrive, cut into pages."""

    key: Key
    pages: tuple[tuple[Envelope, ...], ...]


def tellings(story: Story, *, length: int, cuts: Sequence[Sequence[bool]] | None = None) -> list[Telling]:
    """Return every order of the first `length` events, each in every cut (or these), each about a row of its own."""
    found = []
    ways = cuts if cuts is not None else list(product((False, True), repeat=length - 1))
    for number, (order, cut) in enumerate(product(permutations(range(length)), ways)):
        n = str(number)
        told = [envelope(event, f"{n}-{place}", at) for place, (event, at) in enumerate(story.tell(n))]
        pages: list[list[Envelope]] = [[]]
        for after, place in enumerate(order):
            if after and cut[after - 1]:
                pages.append([])
            pages[-1].append(told[place])
        found.append(Telling(story.key(n), tuple(map(tuple, pages))))
    return found


def together(told: Sequence[Telling]) -> list[list[Envelope]]:
    """Return the first pages of all rows as one, then their second ones, and so on: rows do not wait for each other."""
    most = max(len(each.pages) for each in told)
    return [[said for each in told if place < len(each.pages) for said in each.pages[place]] for place in range(most)]
