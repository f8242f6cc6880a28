"""`GET /metrics`: what this process counts, in Prometheus' text format."""

from __future__ import annotations

from starlette.requests import Request

from tidings.api.answer import Answer
from tidings.api.queries import read_query
from tidings.app.opened import Opened
from tidings.telemetry.exposition import CONTENT_TYPE, text


class Metrics:
    """Answers scrapes. However many come, log and store are looked at once a second."""

    def __init__(self, opened: Opened) -> None:
        self._telemetry = opened.telemetry

    async def get(self, request: Request) -> Answer:
        """Answer all metrics; what does not answer now is left out, and said to be not connected."""
        read_query(request.scope, known=())
        return Answer(200, ((b"content-type", CONTENT_TYPE.encode()),), text(await self._telemetry.series()))
