"""How the happenings travel: twice, late, out of order, in every form of request, some under a taken id. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any, Literal
from urllib.parse import quote

from tidings.demo.history import Happening

DUPLICATED = 0.20
DELAYED = 0.15
FORGED = 0.02
BATCHED = 0.10
BOOKMARKED = "tweet-bookmarked"
IN_VERSION: Mapping[int, Mapping[str, object]] = {1: {}, 2: {"folder": "all"}, 3: {"folders": ["all"]}}
"""What each version of a bookmark says beside tweet and user."""
REACH = 60
"""How many places an event is moved by ordinary disorder; a delayed one is moved anywhere."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `expects`: whether its content is the true one, or another under a taken id.

    `told_in`: the same, with bookmarks told in another version; None: there is only one way to tell it.
    """

    form: Literal["PUT", "POST", "batch"]
    path: str
    headers: dict[str, str]
    body: bytes
    carries: tuple[tuple[str, str], ...]
    expects: Literal["kept", "conflict"]
    told_in: Callable[[int], Request] | None = field(default=None, compare=False, repr=False)

    @property
    def method(self) -> Literal["PUT", "POST"]:
        return "PUT" if self.form == "PUT" else "POST"


def arrange(random: Random, history: Sequence[Happening]) -> tuple[list[Happening], list[Happening]]:
    """Return the order of arrival, repetitions included, and the forged happenings to be sent after all of it."""
    arrivals = disorder(random, history)
    return arrivals, [_forge(happening) for happening in history if random.random() < FORGED]


def disorder(random: Random, history: Sequence[Happening]) -> list[Happening]:
    """Return the happenings in an order of arrival: some twice, all near their place but those that are delayed."""
    arrivals: list[tuple[float, Happening]] = []
    for place, happening in enumerate(history):
        moved = place + random.uniform(-REACH, REACH)
        if random.random() < DELAYED:
            moved = random.uniform(place, len(history))
        arrivals.append((moved, happening))
        while random.random() < DUPLICATED:
            arrivals.append((random.uniform(place, len(history)), happening))
    arrivals.sort(key=lambda arrival: arrival[0])
    return [happening for _, happening in arrivals]


def _forge(happening: Happening) -> Happening:
    data = {
        name: f"{value} (forged)" if name in ("name", "handle") else value for name, value in happening.data.items()
    }
    return replace(happening, at=happening.at - 1, data=data)


def requests(random: Random, arrivals: Sequence[Happening]) -> Iterator[Request]:
    """Put the arrivals into requests: mostly one event each, by PUT or POST, some in batches."""
    waiting = list(reversed(arrivals))
    while waiting:
        chance = random.random()
        if chance < BATCHED / 5 and len(waiting) >= 5:
            yield _batch([waiting.pop() for _ in range(random.randint(2, 5))])
        elif chance < 0.5:
            yield put(waiting.pop())
        else:
            yield _structured(waiting.pop()) if chance < 0.75 else _binary(waiting.pop())


def put(happening: Happening, version: int = 1, *, expects: Literal["kept", "conflict"] = "kept") -> Request:
    """Return the request that states one event under its own address."""
    path = f"/events/{quote(happening.source, safe='')}/{quote(happening.id, safe='')}"
    headers = {"ce-type": happening.type, "ce-time": happening.time, "content-type": "application/json"}
    headers |= _version(happening, version)
    again = partial(put, happening, expects=expects) if happening.type == BOOKMARKED else None
    return Request("PUT", path, headers, _data(happening, version), (_identity(happening),), expects, again)


def put_now(source: str, id: str, type: str, data: dict[str, str]) -> Request:
    """Return the request of a client that leaves the time to the server, as a page does."""
    path = f"/events/{quote(source, safe='')}/{quote(id, safe='')}"
    headers = {"ce-type": type, "content-type": "application/json"}
    return Request("PUT", path, headers, json.dumps(data).encode(), ((source, id),), "kept")


def _binary(happening: Happening, version: int = 1) -> Request:
    headers = _version(happening, version) | {
        "ce-specversion": "1.0",
        "ce-id": happening.id,
        "ce-source": happening.source,
        "ce-type": happening.type,
        "ce-time": happening.time,
        "content-type": "application/json",
    }
    again = partial(_binary, happening) if happening.type == BOOKMARKED else None
    return Request("POST", "/events", headers, _data(happening, version), (_identity(happening),), "kept", again)


def _structured(happening: Happening, version: int = 1) -> Request:
    headers = {"content-type": "application/cloudevents+json"}
    body = json.dumps(_document(happening, version)).encode()
    again = partial(_structured, happening) if happening.type == BOOKMARKED else None
    return Request("POST", "/events", headers, body, (_identity(happening),), "kept", again)


def _batch(happenings: Sequence[Happening], version: int = 1) -> Request:
    headers = {"content-type": "application/cloudevents-batch+json"}
    body = json.dumps([_document(happening, version) for happening in happenings]).encode()
    again = partial(_batch, happenings) if any(each.type == BOOKMARKED for each in happenings) else None
    return Request("batch", "/events", headers, body, tuple(map(_identity, happenings)), "kept", again)


def _document(happening: Happening, version: int) -> dict[str, object]:
    told = {"dataversion": version} if happening.type == BOOKMARKED else {}
    return told | {
        "specversion": "1.0",
        "id": happening.id,
        "source": happening.source,
        "type": happening.type,
        "time": happening.time,
        "datacontenttype": "application/json",
        "data": _told(happening, version),
    }


def _data(happening: Happening, version: int) -> bytes:
    return json.dumps(_told(happening, version)).encode()


def _told(happening: Happening, version: int) -> dict[str, Any]:
    return {**happening.data, **(IN_VERSION[version] if happening.type == BOOKMARKED else {})}


def _version(happening: Happening, version: int) -> dict[str, str]:
    return {"ce-dataversion": str(version)} if happening.type == BOOKMARKED else {}


def _identity(happening: Happening) -> tuple[str, str]:
    return happening.source, happening.id
