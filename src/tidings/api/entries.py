"""Events out: `GET /events` by position, and `GET /events/{source}/{id}`."""

from __future__ import annotations

from starlette.requests import Request

from tidings.api.answer import Answer, Scope, json_answer
from tidings.api.arrivals import Arrivals
from tidings.api.filters import FILTERS, read_sought
from tidings.api.headers import choose
from tidings.api.paths import segment
from tidings.api.queries import Query, limit, one, read_query
from tidings.api.reading import Reading
from tidings.api.routing import principal_of
from tidings.api.waiting import Patience, Waiting
from tidings.app.opened import Opened
from tidings.errors import NotFoundError
from tidings.events.cloudevents import BATCH_TYPE, STRUCTURED_TYPE, shown, write_batch, write_binary, write_structured
from tidings.events.media import JSON, bare
from tidings.faces.entries import entry_object, status_object
from tidings.faces.tokens import Tokens
from tidings.log.driver import Page, Position
from tidings.operations.inspect import show
from tidings.operations.search import search

_PARAMETERS = FILTERS | {"after", "limit"}
_UNTYPED = "application/octet-stream"


class Entries:
    """Reads the log for callers."""

    def __init__(self, opened: Opened, tokens: Tokens, reading: Reading, waiting: Waiting, arrivals: Arrivals) -> None:
        self._log = opened.log
        self._keeper = opened.keeper
        self._store = opened.store
        self._services = tuple(opened.services)
        self._arrivals = arrivals
        self._tokens = tokens
        self._reading = reading
        self._waiting = waiting

    async def list(self, request: Request) -> Answer:
        """Answer the entries after a position; with `Prefer: wait=N` wait for the next one if there is none."""
        query = read_query(request.scope, known=_PARAMETERS)
        chosen = choose(request.scope, JSON, BATCH_TYPE)
        patience = self._waiting.patience(request.scope)
        head = await self._reading.reach_head(self._reading.wanted(request.scope), patience)
        page = await self._page(request.scope, query, patience, head)
        entries = [self._keeper.marks.on(entry) for entry in page.entries]
        headers = (self._reading.reflects(page.upto), *patience.headers)
        if chosen == BATCH_TYPE:
            batch = write_batch(shown(entry) for entry in entries)
            return Answer(200, ((b"content-type", BATCH_TYPE.encode()), *headers), batch)
        return json_answer(
            {
                "entries": [entry_object(self._tokens, entry) for entry in entries],
                "next": self._tokens.write(page.upto),
                "head": self._tokens.write(max(head, page.upto)),
            },
            *headers,
        )

    async def get(self, request: Request) -> Answer:
        """Answer one event: as a document, or in binary mode to a caller who takes only the data's own type."""
        read_query(request.scope, known=())
        source, id = segment(request.path_params["source"]), segment(request.path_params["id"])
        patience = self._waiting.patience(request.scope)
        await self._reading.reach_head(self._reading.wanted(request.scope), patience)
        found = await self._log.find(source, id)
        entry = None if found is None else self._keeper.marks.on(found)
        if entry is None or not principal_of(request.scope).may_speak_for(source):
            raise _unknown(source, id)
        headers = (self._reading.reflects(entry.position), *patience.headers)
        envelope = shown(entry)
        own = bare(envelope.content_type or _UNTYPED)
        if choose(request.scope, STRUCTURED_TYPE, own) == STRUCTURED_TYPE:
            return Answer(200, ((b"content-type", STRUCTURED_TYPE.encode()), *headers), write_structured(envelope))
        attributes, body = write_binary(envelope)
        return Answer(200, (*attributes, *headers), body)

    async def status(self, request: Request) -> Answer:
        """Answer where an event is kept, and what each consumer and each endpoint made of it."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        source, id = segment(request.path_params["source"]), segment(request.path_params["id"])
        if not principal_of(request.scope).may_speak_for(source):
            raise _unknown(source, id)
        head = (await self._log.head()).position
        found = await show(self._log, self._store, self._services, source=source, id=id)
        reflected = self._reading.reflects(max(head, found.entry.position))
        return json_answer(status_object(self._tokens, found), reflected)

    async def _page(self, scope: Scope, query: Query, patience: Patience, head: Position) -> Page:
        after, most, sought = one(query, "after"), limit(query), read_sought(scope, query)
        start = (await self._log.head()).floor if after is None else self._tokens.read(after, name="after")
        if after is not None:
            self._tokens.check(start, head=head, name="after")
        page = await search(self._log, sought, after=start, limit=most)
        if page.entries or not patience.seconds:
            return page

        async def found() -> bool:
            nonlocal page
            page = await awaited.look(self._log, after=page.upto, limit=most)
            return bool(page.entries)

        async with self._arrivals.awaiting(sought) as awaited:
            await patience.until(found, pause=lambda _: awaited.come(page.upto))
        return page


def _unknown(source: str, id: str) -> NotFoundError:
    return NotFoundError("event", id, of=source)
