"""Everything that follows from the seed: what truly happens, how it arrives, what is forged. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tidings.demo.history import Happening, write_history
from tidings.demo.telling import LOST, NEVER_TOLD, TILL, Telling, tell
from tidings.demo.traffic import Request, arrange, put, requests
from tidings.demo.truth import Rows, Truth, View
from tidings.demo.visitors import Wish, decide, draw_wishes, wish_requests

WEEK_ENDS = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in µs: the same for every run, so that a seed says everything."""
EVENTS_PER_VISITOR = 600


@dataclass(frozen=True, slots=True)
class Plan:
    """One run as it is meant to be.

    `share_lost`: of what Till should tell; `tellings`: what it sends by itself; `lost`: what it does not.
    """

    seed: int
    share_lost: float
    history: list[Happening]
    arrivals: list[Happening]
    forged: list[Happening]
    wishes: list[Wish]
    tellings: list[Telling]
    lost: list[Happening]

    @classmethod
    def draw(cls, seed: int, *, events: int, lost: float = LOST) -> Plan:
        random = Random(seed)  # noqa: S311 - a replayable draw is the point
        history = write_history(random, events=events, now=WEEK_ENDS)
        arrivals, forged = arrange(random, [each for each in history if each.source != TILL])
        tellings, missing = tell(random, [each for each in history if each.source == TILL], lost=lost)
        wishes = draw_wishes(random, visitors=2 + events // EVENTS_PER_VISITOR)
        return cls(seed, lost, history, arrivals, forged, wishes, tellings, missing)

    def requests(self) -> list[Request]:
        """Return the requests that are sent in any order."""
        return list(requests(Random(self.seed + 1), self.arrivals))  # noqa: S311 - as above

    def wish_requests(self) -> list[Request]:
        """Return those that are sent one after the other."""
        return list(wish_requests(Random(self.seed + 2), self.wishes))  # noqa: S311 - as above

    def forged_requests(self) -> list[Request]:
        """Return those that must be refused."""
        return [put(forged, expects="conflict") for forged in self.forged]

    @property
    def of_till(self) -> list[Happening]:
        """What happens at Till."""
        return [happening for happening in self.history if happening.source == TILL]

    @property
    def told(self) -> list[Happening]:
        """What truly happened, but for what nobody was told."""
        lost = {happening.id for happening in self.lost}
        return [each for each in self.history if each.id not in lost and each.type != NEVER_TOLD]

    @property
    def came(self) -> list[Happening]:
        """What arrived, Till's webhooks behind the events that came by themselves."""
        return [*self.arrivals, *(each.happening for each in self.tellings if each.kind == "true")]

    def rows(self, happenings: Sequence[Happening]) -> dict[View, Rows]:
        """Return the rows of every view, had these happened in this order, and then what the visitors asked for."""
        decisions, held = decide(self.wishes)
        slots = [(user, tweet) for user, tweets in held.items() for tweet in tweets]
        return Truth().tell(happenings).tell(decisions).hold(slots).rows


def late_share(arrivals: Sequence[Happening]) -> tuple[int, int]:
    """Return how many arrivals came after an event with a later time, and by how many µs the latest one did."""
    late, worst, newest = 0, 0, 0
    for happening in arrivals:
        if happening.at < newest:
            late += 1
            worst = max(worst, newest - happening.at)
        newest = max(newest, happening.at)
    return late, worst


def back_dated(history: Sequence[Happening]) -> int:
    """Return how many events say an earlier time than one of the same order that truly came before them."""
    newest: dict[str, int] = {}
    count = 0
    for happening in history:
        order = happening.data.get("order_id")
        if order is not None:
            said = happening.at + happening.clock_error
            count += said < newest.get(order, said)
            newest[order] = max(said, newest.get(order, said))
    return count
