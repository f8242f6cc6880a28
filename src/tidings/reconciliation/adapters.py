"""What an adapter has to have, by what its facts say, checked where it is declared and not when a run needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tidings.errors import DeclarationError
from tidings.reconciliation.rules.facts import ProviderFacts
from tidings.services.functions import check_call


@dataclass(frozen=True, slots=True)
class _Method:
    """How it is called: with so many positional arguments, and with keywords."""

    name: str
    form: str
    must_be: Literal["plain", "async"] = "plain"
    arguments: int = 0
    keywords: tuple[str, ...] = ()


_PAGE = _Method("list_page", "`async def list_page(self, *, cursor, limit)`", "async", keywords=("cursor", "limit"))
_CHANGED = _Method(
    "list_changed",
    "`async def list_changed(self, *, since, cursor, limit)`",
    "async",
    keywords=("since", "cursor", "limit"),
)
_ONE = _Method("get_one", "`async def get_one(self, key)`", "async", 1)
_AFTER = _Method("cursor_after", "`def cursor_after(self, order_key)`", arguments=1)
_OBSERVED = _Method("observed", "`def observed(self, row)`", arguments=1)
_DELETED = _Method("deleted", "`def deleted(self, key)`", arguments=1)
_READ = _Method("read", "`def read(self, event, envelope)`", arguments=2)
_NAMED = {each.name: each for each in (_OBSERVED, _DELETED, _READ)}


def check_adapter(scope: str, listing: object, tells: tuple[str, ...] = ()) -> None:
    """DeclarationError, which begins with the scope, unless the adapter can be asked all that its facts promise.

    `tells`: those of `observed`, `deleted` and `read` that are needed besides.
    """
    if isinstance(listing, type):
        called = listing.__qualname__
        raise DeclarationError(f"{scope}: {called} is a class: write {called}(…), so that there is one to ask")
    facts = getattr(listing, "facts", None)
    if not isinstance(facts, ProviderFacts):
        said = f"{type(listing).__qualname__}.facts is {facts!r:.60}"
        raise DeclarationError(f"{scope}: {said}, and no facts of a provider: write facts = ProviderFacts(…)")
    for each in (_PAGE, _ONE, *(_NAMED[name] for name in tells)):
        _check(scope, listing, each)
    if facts.filters_by_change:
        _check(scope, listing, _CHANGED, because="filters_by_change=True")
    if facts.seekable:
        _check(scope, listing, _AFTER, because="seekable=True")


def _check(scope: str, listing: object, method: _Method, *, because: str = "") -> None:
    found = getattr(listing, method.name, None)
    if found is None:
        why = f"{because}, and " if because else ""
        has = f"{type(listing).__qualname__} has no {method.name}"
        raise DeclarationError(f"{scope}: {why}{has}: write {method.form}")
    try:
        check_call(
            found,
            form=method.form,
            must_be=method.must_be,
            arguments=method.arguments,
            keywords=method.keywords,
        )
    except DeclarationError as error:
        raise DeclarationError(f"{scope}: {method.name}: {error}") from None
