"""What reached the outside: Chirp's mailbox, one line for each call, whatever was kept of it inside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tidings.demo.history import Happening
from tidings.demo.report import Line
from tidings.wording import counted

Call = tuple[str, str]
"""Who was greeted, and the idempotency key that came with the call."""


def read_calls(mailbox: Path) -> list[Call]:
    """Return the calls so far, in the order they came."""
    if not mailbox.is_file():
        return []
    mails = [json.loads(line) for line in mailbox.read_text("utf-8").splitlines()]
    return [(mail["to"], mail["key"]) for mail in mails]


def due_greetings(history: Iterable[Happening]) -> Counter[str]:
    """Return how often each user must be greeted: once for each registration."""
    return Counter(happening.data["user_id"] for happening in history if happening.type == "user-registered")


def greeted_again(arrivals: Sequence[Happening]) -> int:
    """Return how many greetings there would be too many, were each arrival of a registration greeted."""
    registered = [arrival.id for arrival in arrivals if arrival.type == "user-registered"]
    return len(registered) - len(set(registered))


def compare_mail(due: Counter[str], calls: Sequence[Call], *, again: int = 0) -> Line:
    """Every registration has one key of its own, which was called with at least once; there is no other key."""
    keys = Counter(user for user, _ in set(calls))
    right = sum(keys[user] == times for user, times in due.items())
    wrong = [f"{user}: {keys[user]} keys for {due[user]}" for user in {*due, *keys} if keys[user] != due[user]]
    shared = len(set(calls)) - len({key for _, key in calls})
    repeats = len(calls) - len(set(calls))
    found = f"{right:,} of {counted(len(due), 'user')} greeted; calls made twice, with the same key: {repeats:,}"
    if shared:
        wrong.append(counted(shared, "key names two users", "keys name two users"))
    otherwise = f"{counted(again, 'greeting')} more" if again else ""
    return Line("calls outside", found, not wrong, "; ".join(sorted(wrong)[:3]), otherwise)
