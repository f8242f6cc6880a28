"""`GET /`: on to the operator's pages. It tells nobody anything but their address, so anybody may ask."""

from __future__ import annotations

from tidings.api.answer import Answer, Scope
from tidings.api.paths import root_path
from tidings.api.problems import Problem, Refusal


def welcome(scope: Scope, console: str) -> Answer:
    """Return the way on to `console`, the path of the pages below the server's own.

    `method-not-allowed` for what nobody may do at the server's address.
    """
    if scope["method"] not in ("GET", "HEAD"):
        why = f"{scope['method'][:20]} is not allowed at '/'; allowed are GET, HEAD"
        raise Refusal(Problem.METHOD_NOT_ALLOWED, why, (b"allow", b"GET, HEAD"))
    return Answer(307, ((b"location", (root_path(scope) + console).encode()),))
