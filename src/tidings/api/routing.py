"""The table of what is served: each operation with what it asks of its caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.routing import Route

from tidings.api.answer import Application, Scope
from tidings.api.problems import Problem, Refusal
from tidings.operations.admission import Principal
from tidings.services.origin import is_own_source

Handler = Callable[[Request], Awaitable[Application]]
PRINCIPAL = "tidings.principal"
OPEN = frozenset({"/healthz", "/readyz"})
"""What anybody may ask: it tells nothing but names of checks."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `scope`: what the caller's key must have; None: any caller who is admitted. `key`: whether an Idempotency-Key is
    taken, or needed.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    path: str
    handler: Handler
    scope: str | None
    key: Literal["none", "accepted", "required"] = "none"


def principal_of(scope: Scope) -> Principal:
    """Return who makes the request; a KeyError where nobody was asked."""
    found: Principal = scope[PRINCIPAL]
    return found


def check_scope(scope: Scope, wanted: str) -> None:
    """Refuse, as `scope-missing`, whoever may not do this."""
    if wanted not in scope[PRINCIPAL].scopes:
        raise Refusal(Problem.SCOPE_MISSING, f"this needs a key with the scope {wanted}; yours has it not")


def check_source(scope: Scope, source: str, own: Collection[str]) -> None:
    """Refuse, as `scope-missing`, whoever may not write events of this source.

    `own`: sources of this application's services. What these say is believed as they are, and the ids of what they emit
    can be foreseen, so a key speaks for one, as for tidings itself, only if it names it.
    """
    principal: Principal = scope[PRINCIPAL]
    if principal.key is None and principal.sources is None:
        return
    whose = "of a service of this application" if source in own else "of tidings itself"
    if principal.key is not None and principal.sources is None and (source in own or is_own_source(source)):
        why = f"{source[:100]!r} is the source {whose}: only a key that names it may write there"
        raise Refusal(Problem.SCOPE_MISSING, f"{why}, one of `tidings keys add … --source {source[:100]}`")
    if not principal.may_speak_for(source):
        raise Refusal(Problem.SCOPE_MISSING, f"your key is not for events of the source {source[:100]!r}")


def routes(operations: tuple[Operation, ...]) -> tuple[Route, ...]:
    """Return a route for each path, in the order in which they stand first."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return tuple(Route(path, _endpoint(found), methods=[*found]) for path, found in by_path.items())


def _endpoint(operations: dict[str, Operation]) -> Handler:
    async def endpoint(request: Request) -> Application:
        operation = operations["GET" if request.method == "HEAD" else request.method]
        if operation.scope is not None:
            check_scope(request.scope, operation.scope)
        return await operation.handler(request)

    return endpoint
