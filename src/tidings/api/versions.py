"""Versions of events as operators see them: which there are, their gates, and what the planner says of them."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request

from tidings.api.answer import Answer, json_answer
from tidings.api.headers import choose
from tidings.api.paths import segment
from tidings.api.queries import Query, one, read_query
from tidings.api.version_headers import ending_headers
from tidings.app.opened import Opened
from tidings.errors import MalformedError, NotFoundError
from tidings.events.media import JSON
from tidings.faces.tokens import Tokens
from tidings.faces.versions import answer_object, schema_object, version_object
from tidings.operations.asking import NUMBERS, WORDS, asked
from tidings.operations.census import census
from tidings.operations.planner import KINDS
from tidings.operations.versions import Workshop
from tidings.store.versions import no_version
from tidings.versions.census import Census
from tidings.versions.ending import endings_of
from tidings.versions.lockfile import NAME

_LONGEST = 9
ASSUME = "assume_last"
"""Consumers, joined by commas, that are taken as they ran last."""


class Versions:
    """Shows versions, and asks. A gate that is shown open is open to what is published by this process from then on."""

    def __init__(self, opened: Opened, tokens: Tokens) -> None:
        self._store = opened.store
        self._instance = opened.instance
        self._known = opened.known
        self._services = opened.services
        self._tokens = tokens
        self._public_url = opened.settings.public_url

    async def list(self, request: Request) -> Answer:
        """Answer every version of every type, by type and number."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        known = await self._census()
        return json_answer({"versions": [version_object(each, known) for each in known.versions]})

    async def of_type(self, request: Request) -> Answer:
        """Answer the versions of one type."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        type = segment(request.path_params["type"])
        known = await self._census()
        rows = known.of_type(type)
        if not rows:
            raise NotFoundError("event type", type, {each.type for each in known.versions})
        return json_answer({"versions": [version_object(rows[number], known) for number in sorted(rows)]})

    async def get(self, request: Request) -> Answer:
        """Answer one version, with its schema."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        type, text = segment(request.path_params["type"]), segment(request.path_params["version"])
        known = await self._census()
        row = known.of_type(type).get(_number(text)) if text.isascii() and text.isdigit() else None
        if row is None:
            raise no_version(type, text, ((each.type, each.version) for each in known.versions))
        ending = endings_of(known.of_type(type).values()).get((type, row.version))
        return json_answer(schema_object(row, known), *ending_headers(ending, request.scope, base=self._public_url))

    async def _census(self) -> Census:
        known = await census(self._store)
        await self._instance.learn()  # behind it, so that what is known here is as new as what is answered
        return known

    async def may(self, request: Request) -> Answer:
        """Answer one question."""
        choose(request.scope, JSON)
        kind = segment(request.path_params["predicate"])
        names = WORDS.get(kind)
        if names is None:
            raise NotFoundError("predicate", kind, KINDS)
        query = read_query(request.scope, known=(*names, ASSUME))
        given = {name: self._read(query, name) for name in names}
        assume = one(query, ASSUME)
        taken = () if assume is None else tuple(assume.split(","))
        code = self._workshop() if kind == "register" else None
        return json_answer(answer_object(await asked(self._store, kind, given, assume=taken, code=code)))

    def _workshop(self) -> Workshop:
        """Return this program's types, with its lock file and examples as far as they lie beside it."""
        lineages = self._known.versions.lineages.values()
        events = [native.cls for lineage in lineages for native in lineage.natives.values()]
        return Workshop(events, tuple(self._services), self._known.lock or Path(NAME))

    def _read(self, query: Query, name: str) -> str | int | None:
        text = one(query, name)
        if text is None:
            raise MalformedError(f"the query parameter {name!r} is missing", errors=[("", f"{name} is missing")])
        if name == "after":
            return self._tokens.read(text, name="after")
        if name not in NUMBERS:
            return text
        if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST):
            raise MalformedError(f"{name}: {text[:20]!r} is no version, a whole number from 1")
        return int(text)


def _number(text: str) -> int:
    return int(text[: _LONGEST + 1])
