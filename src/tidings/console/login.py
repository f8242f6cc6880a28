"""Where there are API keys: showing one, once, and having it forgotten again."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from tidings.console.visit import Visit
from tidings.errors import CallerError
from tidings.operations.admission import LOCAL, Principal

PATH = "/login"


async def principal_of(visit: Visit) -> Principal | None:
    """Return whose key this browser has shown; None if none was, or it is revoked or expired."""
    key = visit.key
    return None if key is None else await visit.opened.admission.of_token(key)


async def show(visit: Visit) -> Response:
    if visit.principal is not None:
        return RedirectResponse(visit.link("/"), status_code=303)
    return visit.log_in(is_wrong=False)


async def take(visit: Visit) -> Response:
    """Take a key. CallerError for one that is for some sources only: pages show the events of all."""
    key = (await visit.form()).get("key", "").strip()
    principal = await visit.opened.admission.of_token(key)
    if principal is None:
        return visit.log_in(is_wrong=True)
    if principal.sources is not None:
        raise CallerError("this key is for the events of some sources, and the console shows those of all: use another")
    return visit.begin(key)


async def leave(visit: Visit) -> Response:
    await visit.form()
    if visit.principal == LOCAL:
        raise CallerError("there are no keys here, so there is nothing to log out from")
    return visit.end()
