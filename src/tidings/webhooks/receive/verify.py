"""Whether a request is what its sender signed: a total function over bytes, without I/O.

Whatever the bytes are, the answer is Accepted or Rejected, never an exception: an exception would be a 5xx, which the
sender repeats, or a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.instants import us_of
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.plan import Plan
from tidings.webhooks.receive.scheme import Scheme
from tidings.webhooks.receive.verdict import Accepted, Rejected, RequestFacts

_SAY_LITTLE = ("missing-header", "no-active-key", "body-field-missing")  # the later, the more; any other says most


class Verifier:
    """Judges requests by schemes that are tried in order. What they and the keys are is worked out here, once."""

    def __init__(self, schemes: Scheme | Sequence[Scheme], keys: Sequence[Key]) -> None:
        asked = (schemes,) if isinstance(schemes, Scheme) else tuple(schemes)
        self._plans = tuple(Plan(scheme, index, keys) for index, scheme in enumerate(asked))

    def judge(self, given: Given, now_us: int) -> Accepted | Rejected:
        """Judge a request with all keys that hold at `now_us`, microseconds since 1970. It never raises.

        Where a scheme's header is there, a scheme that reads another one is not asked any more: a weaker signature
        beside a stronger one never helps.
        """
        best: Rejected | None = None
        decisive: Plan | None = None
        for plan in self._plans:
            if decisive is not None and plan.place != decisive.place:
                continue
            verdict = plan.verdict(given, now_us)
            if isinstance(verdict, Accepted):
                return verdict
            if verdict.reason != "missing-header":
                decisive = decisive or plan
            if best is None or _says(verdict) > _says(best):
                best = verdict
        return best or Rejected("unsupported-scheme")


def verify(
    schemes: Scheme | Sequence[Scheme],
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    request: RequestFacts,
    keys: Sequence[Key],
    now: datetime,
) -> Accepted | Rejected:
    """Judge one request as a `Verifier` does; `now`: a time with an offset."""
    return Verifier(schemes, keys).judge(Given(headers, body, request), us_of(now))


def _says(verdict: Rejected) -> int:
    """Return how much a reason says beside those of other schemes."""
    return _SAY_LITTLE.index(verdict.reason) if verdict.reason in _SAY_LITTLE else len(_SAY_LITTLE)
