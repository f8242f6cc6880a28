"""Request headers, as far as more than one route looks at them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from tidings.api.answer import Scope
from tidings.api.problems import Problem, Refusal
from tidings.errors import MalformedError

WAIT_SECONDS_MAX = 30
_BY_NAME = "tidings.headers"
_WAIT = re.compile(r"wait\s*=\s*\"?([0-9]{1,9})\"?", re.IGNORECASE)


def by_name(scope: Scope) -> Mapping[bytes, bytes]:
    """Return the headers by lower-case name, of each name the last: made once, since so many ask for one."""
    found: dict[bytes, bytes] | None = scope.get(_BY_NAME)
    if found is None:
        found = scope[_BY_NAME] = dict(scope["headers"])
    return found


def values(scope: Scope, name: bytes) -> Sequence[bytes]:
    """Return what was sent under a name, in order."""
    found = scope.get(_BY_NAME) or by_name(scope)
    if name not in found:
        return ()
    if len(found) == len(scope["headers"]):
        return (found[name],)
    return [value for each, value in scope["headers"] if each == name]


def pick(scope: Scope, wanted: Collection[bytes]) -> dict[bytes, str]:
    """Return those of the wanted headers, by lower-case name, that were sent; MalformedError for one sent twice."""
    sent = by_name(scope)
    found = {name: sent[name].decode("latin-1").strip() for name in wanted if name in sent}
    if len(sent) < len(scope["headers"]):
        for name in found:
            if len(values(scope, name)) > 1:
                raise MalformedError(f"the header {name.decode()} was sent twice: send it once")
    return found


def header(scope: Scope, name: bytes) -> str | None:
    """Return the value of a header, its lower-case name given; MalformedError if it was sent twice."""
    return pick(scope, (name,)).get(name)


def wait_seconds(scope: Scope) -> int | None:
    """Return the seconds of `Prefer: wait=N` (RFC 7240), at most `WAIT_SECONDS_MAX`; None without it."""
    for value in values(scope, b"prefer"):
        for preference in value.decode("latin-1").split(","):
            found = _WAIT.fullmatch(preference.partition(";")[0].strip())
            if found:
                return min(int(found[1]), WAIT_SECONDS_MAX)
    return None


def is_current(scope: Scope, etag: str) -> bool:
    """Say whether `If-None-Match` (RFC 9110 section 13.1.2) names this ETag, so that the caller has what there is."""
    given = header(scope, b"if-none-match")
    if given is None:
        return False
    return given == "*" or etag in (each.strip().removeprefix("W/") for each in given.split(","))


def choose(scope: Scope, *offered: str) -> str:
    """Return the media type that the Accept headers (RFC 9110 section 12.5.1) want most, the first of equals.

    `not-acceptable` if they want none of those offered.
    """
    accepted = Accepted(b",".join(values(scope, b"accept")).decode("latin-1") or "*/*")
    best = max(offered, key=accepted.weight)
    if accepted.weight(best) == 0:
        raise Refusal(Problem.NOT_ACCEPTABLE, f"there is {' and '.join(offered)}; the Accept header wants none of them")
    return best


class Accepted:
    """Media ranges with their weights."""

    def __init__(self, text: str) -> None:
        self._weights: dict[str, float] = {}
        for part in text.split(","):
            name, *parameters = (piece.strip().lower() for piece in part.split(";"))
            weight = next((_weight(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
            if name:
                self._weights[name] = max(weight, self._weights.get(name, 0.0))

    def weight(self, media_type: str) -> float:
        """Return how much this type is wanted, 0.0 to 1.0: what the most precise range that matches it says."""
        for wanted in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
            if wanted in self._weights:
                return self._weights[wanted]
        return 0.0


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
