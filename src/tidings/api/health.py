"""`/healthz`: the process lives. `/readyz`: requests can be served and entries are carried."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from starlette.requests import Request

from tidings.api.answer import Answer, json_answer
from tidings.api.problems import Problem, Refusal
from tidings.api.queries import read_query
from tidings.app.opened import Opened

ANSWER_SECONDS = 2.0
_log = logging.getLogger("tidings.api")


class Health:
    """Answers probes with names of checks, and nothing else: whoever may ask may be anybody."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    async def alive(self, request: Request) -> Answer:
        """Answer that the process lives; a lost database does not change that."""
        read_query(request.scope, known=())
        return json_answer({"status": "ok", "checks": ["process"]})

    async def ready(self, request: Request) -> Answer:
        """Answer which checks hold; `log-unavailable` or `store-unavailable` with the names of those that do not."""
        read_query(request.scope, known=())
        log, store = self._opened.log, self._opened.store
        answering = await asyncio.gather(_answers("log", log.head()), _answers("store", store.consumers()))
        checks = dict(zip(("log", "store"), answering, strict=True))
        failing = [name for name, answers in checks.items() if not answers] + sorted(self._opened.crew.failing)
        if failing:
            raise Refusal(
                Problem.STORE_UNAVAILABLE if checks["log"] else Problem.LOG_UNAVAILABLE,
                f"not ready, for these fail: {', '.join(failing)}; the server's log has the reason",
                members={"checks": failing},
            )
        return json_answer({"status": "ok", "checks": [*checks, "consumers"]})


async def _answers(name: str, question: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await question
    except Exception as error:
        _log.warning("the %s does not answer: %s: %s", name, type(error).__name__, error)
        return False
    return True
