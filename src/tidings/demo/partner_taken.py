"""What Partner has of what it took, and lists over HTTP; of a share it has nothing any more, though it said 200."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from hashlib import sha256

from aiohttp import web

from tidings.ports import Clock

FORGOTTEN = 0.05
"""The share of ids that are forgotten once."""
LAG_SECONDS = 0.5
"""How long it takes until the list shows what was taken."""
LIMIT_MAX = 100


def is_forgotten(id: str) -> bool:
    """Say whether this is forgotten the first time that it is taken: the same for every run in which it is the same."""
    return int.from_bytes(sha256(f"forgotten {id}".encode()).digest()[:8]) / 2**64 < FORGOTTEN


class TakenList:
    """The routes. `forgotten`: the ids that were taken, answered with 200, and then forgotten."""

    def __init__(self, clock: Clock) -> None:
        self.forgotten: set[str] = set()
        self._clock = clock
        self._hashes: dict[str, str] = {}
        self._ids: list[str] = []
        self._coming: deque[tuple[float, str]] = deque()

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [web.get("/v1/taken", self.list), web.get("/v1/taken/{id}", self.one)]

    def keep(self, id: str, body: bytes) -> None:
        """Keep what was taken, or forget it; what is known stays as it came first."""
        if id in self._hashes:
            return
        if id not in self.forgotten and is_forgotten(id):
            self.forgotten.add(id)
            return
        self._hashes[id] = sha256(body).hexdigest()
        self._coming.append((self._clock.monotonic() + LAG_SECONDS, id))

    @property
    def lost(self) -> set[str]:
        """The ids that were forgotten and did not come again."""
        return self.forgotten - self._hashes.keys()

    async def list(self, request: web.Request) -> web.Response:
        """Answer with a page, by id."""
        self._appear()
        try:
            limit = int(request.query.get("limit", "10"))
        except ValueError:
            limit = 0
        if not 1 <= limit <= LIMIT_MAX:
            return web.json_response({"error": f"limit: from 1 to {LIMIT_MAX}"}, status=400)
        start = bisect_right(self._ids, request.query.get("after", ""))
        ids, has_more = self._ids[start : start + limit], start + limit < len(self._ids)
        return web.json_response({"taken": [self._said(id) for id in ids], "more": has_more})

    async def one(self, request: web.Request) -> web.Response:
        """Answer with one id."""
        self._appear()
        id = request.match_info["id"]
        place = bisect_right(self._ids, id)
        is_there = place > 0 and self._ids[place - 1] == id
        return web.json_response(self._said(id) if is_there else {"error": f"no {id}"}, status=200 if is_there else 404)

    def _said(self, id: str) -> dict[str, str]:
        return {"id": id, "sha256": self._hashes[id]}

    def _appear(self) -> None:
        now = self._clock.monotonic()
        while self._coming and self._coming[0][0] <= now:
            insort(self._ids, self._coming.popleft()[1])
