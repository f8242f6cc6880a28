"""`/healthz`: the process lives. `/readyz`: requests can be served and entries are carried."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from starlette.requests import Request

from tidings.api.answer import Answer, json_answer
from tidings.api.problems import Problem, Refusal
from tidings.api.queries import read_query
from tidings.app.heartbeat import LATE_SECONDS
from tidings.app.opened import Opened
from tidings.operations.checks import Checks
from tidings.store.host import Check

_log = logging.getLogger("tidings.api")
_OF_STORE = frozenset({"settings", "store", "leases"})
"""The checks that fail where the store cannot be reached or written to; others say what does not run."""


class Health:
    """Answers probes with names of checks, and nothing else: whoever may ask may be anybody."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._checks = Checks(opened.host, opened.log, opened.store, opened.ports, opened.carried)

    async def alive(self, request: Request) -> Answer:
        """Answer that the process lives; a lost database does not change that. `overloaded` if it hardly does."""
        read_query(request.scope, known=())
        age = self._opened.heartbeat.age
        if age >= LATE_SECONDS:
            why = f"the event loop has not come round for {age:.0f} s: something in the application blocks it"
            raise Refusal(Problem.OVERLOADED, why, members={"checks": ["heartbeat"]})
        return json_answer({"status": "ok", "checks": ["heartbeat"]})

    async def ready(self, request: Request) -> Answer:
        """Answer which checks hold; `log-unavailable`, `store-unavailable` or `not-running` with those that do not."""
        read_query(request.scope, known=())
        found = (*await self._checks.run(), *_consumers(self._opened))
        failing = [check.name for check in found if check.problem is not None]
        if not failing:
            return json_answer({"status": "ok", "checks": [check.name for check in found]})
        for check in found:
            if check.problem is not None:
                _log.warning("not ready: the check %s fails: %s", check.name, check.problem)
        raise Refusal(
            _problem(failing),
            f"not ready, for these fail: {', '.join(failing)}; the server's log has the reason",
            members={"checks": failing},
        )


def _problem(failing: Sequence[str]) -> Problem:
    if "log" in failing:
        return Problem.LOG_UNAVAILABLE
    return Problem.NOT_RUNNING if _OF_STORE.isdisjoint(failing) else Problem.STORE_UNAVAILABLE


def _consumers(opened: Opened) -> tuple[Check, ...]:
    """Return a check for each consumer that fails again and again, or one that holds for all of them."""
    failing = sorted(opened.crew.failing.items())
    return tuple(Check(name, problem) for name, problem in failing) or (Check("consumers"),)
