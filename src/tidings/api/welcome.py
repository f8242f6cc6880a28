"""`GET /` in a browser: where to go from here. It tells nobody anything but two addresses, so anybody may ask."""

from __future__ import annotations

from html import escape

from tidings.api.answer import Answer, Scope
from tidings.api.paths import raw_path, root_path
from tidings.api.problems import Problem, Refusal

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>tidings</title>
<h1>tidings</h1>
<p>This server keeps events and carries them to your services.</p>
<p><a href="{console}">The console</a> shows what happened, and what came of it.</p>
<p><a href="{document}">The OpenAPI document</a> lists what programs may ask.</p>
</html>
"""
_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"accept"),
)


def is_visit(scope: Scope) -> bool:
    """Say whether somebody has typed the server's address into a browser."""
    if raw_path(scope) != "/" or scope["method"] not in ("GET", "HEAD"):
        return False
    return any(name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"])


def check_visits(scope: Scope) -> None:
    """Refuse, as `method-not-allowed`, what nobody may do at the server's address."""
    if scope["method"] not in ("GET", "HEAD"):
        why = f"{scope['method'][:20]} is not allowed at '/'; allowed are GET, HEAD"
        raise Refusal(Problem.METHOD_NOT_ALLOWED, why, (b"allow", b"GET, HEAD"))


def welcome(scope: Scope, console: str) -> Answer:
    """Return the page. `console`: the path of the operator's pages below the server's own."""
    root = root_path(scope)
    page = _PAGE.format(console=escape(root + console), document=escape(root + "/openapi.json"))
    return Answer(200, _HEADERS, page.encode())
