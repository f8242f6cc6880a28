"""One request to the console: what it asks, what it sends, and the ways to answer it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tidings.app.opened import Opened
from tidings.console.errors import ForbiddenError, TooLargeError
from tidings.console.pages import Pages
from tidings.console.session import Sessions
from tidings.errors import MalformedError
from tidings.faces.kept import check_members
from tidings.operations.admission import Principal
from tidings.operations.counts import NONE, total

COOKIE = "tidings-console"
TOLD = "tidings-console-told"
TOKEN = "token"  # noqa: S105 - the name of a form's field
FORM_BYTES_MAX = 65_536
TOLD_SECONDS = 60
PLACES = (
    ("", "Overview", ""),
    ("log", "Log", "events:read"),
    ("consumers", "Consumers", "consumers:read"),
    ("views", "Views", "views:read"),
    ("dead", "Dead letters", "dead-letters:read"),
    ("endpoints", "Endpoints", "endpoints:read"),
    ("deliveries", "Deliveries", "deliveries:read"),
    ("receivers", "Receivers", "receivers:read"),
    ("reconciliation", "Reconciliation", "reconciliations:read"),
    ("versions", "Versions", "versions:read"),
    ("catalog", "Catalog", ""),
)
"""Where the navigation leads: path, name, and the scope that the page asks for."""
_FORM = "application/x-www-form-urlencoded"
_STALE = (
    "the form is not from a page that this server has shown to this browser, or the server was started anew since: "
    "go back, load the page again, and send it once more"
)


class Visit:
    """A request, and what the answer is made with. `principal`: who makes it; None before that is known."""

    def __init__(self, request: Request, opened: Opened, pages: Pages, sessions: Sessions) -> None:
        self.request = request
        self.opened = opened
        self.principal: Principal | None = None
        self._pages = pages
        self._sessions = sessions
        self._name = sessions.named(request.cookies.get(COOKIE))

    @property
    def root(self) -> str:
        """The console's own path, percent-encoded."""
        return quote(self.request.scope["root_path"])

    def link(self, path: str, **query: Any) -> str:
        """Return the link to a page of the console; what is None or empty is left out of its query."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.root}{quote(path)}" + (f"?{urlencode(given)}" if given else "")

    def may(self, scope: str) -> bool:
        """Say whether who makes the request has this scope."""
        return self.principal is not None and scope in self.principal.scopes

    def check(self, *scopes: str) -> None:
        """ForbiddenError unless who makes the request has these scopes."""
        missing = [scope for scope in scopes if not self.may(scope)]
        if missing:
            raise ForbiddenError(f"this needs a key with the scope {' and '.join(missing)}, which yours does not have")

    @property
    def who(self) -> str:
        """What the audit calls whoever makes the request."""
        return "console" if self.principal is None or self.principal.key is None else self.principal.who

    def segment(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def query(self, known: Collection[str]) -> Mapping[str, str]:
        """Return the query's parameters that are not empty. MalformedError for an unknown one, or one given twice."""
        text: bytes = self.request.scope["query_string"]
        try:
            given = parse_qsl(text.decode("latin-1"), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            raise MalformedError(f"the address's query {text[:80].decode('latin-1')!r} is not UTF-8") from None
        names = [name for name, _ in given]
        for name in names:
            if name not in known:
                there = ", ".join(sorted(known)) or "nothing"
                raise MalformedError(f"the address asks for {name[:40]!r}; what this page can be asked for is {there}")
            if names.count(name) > 1:
                raise MalformedError(f"the address gives {name!r} {names.count(name)} times: give it once")
        return {name: value for name, value in given if value}

    async def form(self) -> Mapping[str, str]:
        """Return the fields of a form of ours. ForbiddenError if it is not ours; MalformedError; TooLargeError."""
        self._check_origin()
        if self.request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise MalformedError(f"send this as a form does, as {_FORM}")
        body = bytearray()
        async for piece in self.request.stream():
            body += piece
            if len(body) > FORM_BYTES_MAX:
                raise TooLargeError(f"the form has more than {FORM_BYTES_MAX:,} bytes")
        try:
            fields = dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=64))
        except ValueError:
            raise MalformedError("the form cannot be read") from None
        check_members(fields)
        sent = self.request.cookies.get(COOKIE)
        if sent is None or not self._sessions.is_token(sent, fields.pop(TOKEN, "")):
            raise ForbiddenError(_STALE)
        return fields

    def _check_origin(self) -> None:
        headers = self.request.headers
        host, site = headers.get("host"), headers.get("sec-fetch-site", "same-origin")
        # Whether it came by TLS is not asked: what ends TLS in front of the server speaks plain HTTP to it.
        if not host or headers.get("origin") not in (f"http://{host}", f"https://{host}") or site != "same-origin":
            raise ForbiddenError("it came from another site's page, or from no page: use the console's own buttons")

    @property
    def key(self) -> str | None:
        """The API key that this browser has shown."""
        return self._sessions.key_of(self.request.cookies.get(COOKIE))

    async def show(self, template: str, **values: Any) -> Response:
        """Answer with a page."""
        set_aside = await total(self.opened.store) if self.may("dead-letters:read") else NONE
        told = self._sessions.unseal(self._name, self.request.cookies.get(TOLD))
        response = self._page(template, {"told": told, "set_aside": set_aside, **values}, status=200)
        if told is not None:
            response.delete_cookie(TOLD, path=self.root)
        return response

    def log_in(self, *, is_wrong: bool) -> Response:
        """Answer with the page that asks for a key."""
        return self._page("login.html", {"told": None, "is_wrong": is_wrong}, status=401)

    def begin(self, key: str) -> Response:
        """Answer a browser that has shown this key: on to the first page, under a new name."""
        response = RedirectResponse(self.link("/"), status_code=303)
        response.set_cookie(COOKIE, self._sessions.begin(key), **self._cookie)
        return response

    def end(self) -> Response:
        """Answer a browser whose key is to be forgotten."""
        self._sessions.end(self._name)
        return RedirectResponse(self.link("/"), status_code=303)

    def refuse(self, status: int, title: str, message: str) -> Response:
        """Answer with a page that says what is wrong, made of nothing that may itself fail."""
        return self._page("error.html", {"told": None, "title": title, "message": message}, status=status)

    def done(self, message: str, path: str, **query: Any) -> Response:
        """Answer a change: on to a page, which says what was done."""
        response = RedirectResponse(self.link(path, **query), status_code=303)
        sealed = self._sessions.seal(self._name, message)
        response.set_cookie(TOLD, sealed, max_age=TOLD_SECONDS, **self._cookie)
        return response

    def _page(self, template: str, values: Mapping[str, Any], *, status: int) -> Response:
        token = self._sessions.token(self._name)
        shared = {"link": self.link, "token": token, "here": self._here, "may": self.may, "who": self.principal}
        shared |= {"places": self._places, "set_aside": NONE, **values}
        response = HTMLResponse(self._pages.render(template, shared), status_code=status)
        if self.request.cookies.get(COOKIE) != self._name:
            response.set_cookie(COOKIE, self._name, **self._cookie)
        return response

    @property
    def _cookie(self) -> dict[str, Any]:
        is_secure = self.request.url.scheme == "https"
        return {"path": self.root, "secure": is_secure, "httponly": True, "samesite": "strict"}

    def _places(self) -> list[tuple[str, str]]:
        """Return the path and the name of each place that whoever asks may go to; nowhere for a stranger."""
        if self.principal is None:
            return []
        return [(path, name) for path, name, scope in PLACES if not scope or self.may(scope)]

    @property
    def _here(self) -> str:
        """The place of the page: the first segment of its path, the log for an event."""
        path = self.request.scope["path"].removeprefix(self.request.scope["root_path"])
        first = str(path.strip("/").partition("/")[0])
        return "log" if first == "event" else first
