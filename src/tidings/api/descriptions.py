"""What programs read of events: the JSON Schema of each version, and the AsyncAPI document of all of them."""

from __future__ import annotations

import hashlib

from starlette.requests import Request

from tidings import __version__
from tidings.api.answer import Answer, Header, Scope
from tidings.api.headers import choose, is_current, pick
from tidings.api.paths import root_path, segment
from tidings.api.queries import read_query
from tidings.api.version_headers import ending_headers
from tidings.app.opened import Opened
from tidings.events.codec import encode_json
from tidings.events.media import JSON
from tidings.faces.asyncapi import asyncapi_document
from tidings.faces.schemas import MEDIA_TYPE, schema_document
from tidings.operations.census import census
from tidings.store.versions import no_version
from tidings.versions.ending import endings_of

PUBLISHED_SECONDS = 86_400
"""How long a caller may keep the schema of a published version, which never changes; what is said beside it may."""


class Descriptions:
    """Answers with what is registered, and with an ETag."""

    def __init__(self, opened: Opened) -> None:
        self._store = opened.store
        self._public_url = opened.settings.public_url

    async def schema(self, request: Request) -> Answer:
        """Answer the JSON Schema of one version."""
        read_query(request.scope, known=())
        chosen = choose(request.scope, MEDIA_TYPE, JSON)
        type, number = segment(request.path_params["type"]), segment(request.path_params["version"])
        rows = await self._store.event_versions()
        row = next((each for each in rows if each.type == type and str(each.version) == number), None)
        if row is None:
            raise no_version(type, number, ((each.type, each.version) for each in rows))
        body = encode_json(schema_document(row, self._public_url or request.scope["tidings.root"]))
        kept = f"max-age={PUBLISHED_SECONDS}" if row.published else "no-cache"
        ending = endings_of(rows).get((type, row.version))
        ends = ending_headers(ending, request.scope, base=self._public_url)
        headers = ((b"content-type", chosen.encode()), (b"cache-control", kept.encode()), *ends)
        return tagged(request.scope, body, *headers)

    async def asyncapi(self, request: Request) -> Answer:
        """Answer the AsyncAPI document."""
        read_query(request.scope, known=())
        choose(request.scope, JSON)
        known = await census(self._store)
        base = self._public_url or _asked(request.scope)
        body = encode_json(asyncapi_document(known, base=base, release=__version__))
        return tagged(request.scope, body, (b"content-type", JSON.encode()), (b"cache-control", b"no-cache"))


def tagged(scope: Scope, body: bytes, *headers: Header) -> Answer:
    """Answer with the body and its ETag, or that the caller has it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = (b"etag", tag.encode())
    if is_current(scope, tag):
        return Answer(304, (known, *(each for each in headers if each[0] != b"content-type")))
    return Answer(200, (*headers, known), body)


def _asked(scope: Scope) -> str:
    """Return the URL of the API as this caller knows it."""
    host = pick(scope, (b"host",)).get(b"host", "localhost")
    return f"{scope['scheme']}://{host}{scope.get('tidings.root', root_path(scope))}"
