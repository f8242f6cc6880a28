"""What a user writes for a provider: how its lists are read, and what its events say of an item."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from tidings.errors import NotAuthorisedError, ProviderUnavailableError, RateLimitedError
from tidings.events.envelope import Envelope
from tidings.reconciliation.rules.facts import ProviderFacts
from tidings.reconciliation.rules.places import OrderKey
from tidings.reconciliation.rules.times import Every

BODY_MAX = 16 * 1024 * 1024
WHY_MAX = 200
A = TypeVar("A")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item of a list.

    `state`: what the copy holds of it. `order`: its place in the list's order, which never changes for an item; None:
    the key is. `version`: of a versioned item, the time of its last change, with an offset. `gone`: the provider lists
    it as deleted. `etag`: of what is pushed to a party that takes `If-Match`, what it would have to be. `unreadable`:
    why nothing can be said of the item but its key, see `keyed_row`.
    """

    key: str
    state: Mapping[str, Any]
    order: OrderKey | None = None
    version: datetime | None = None
    gone: bool = False
    etag: str | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of a list. `next_cursor`: None if the provider said that the list ends here; a page that is short is not
    the last one. `total`: how many rows the provider says that the list has, if it does.
    `server_date`: see the function of that name."""

    rows: Sequence[Row]
    next_cursor: str | None
    server_date: datetime | None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider said of one item. `row`: None only if it said of this very item that there is none; an answer
    with 401, 403 or 5xx is an error, never that."""

    row: Row | None
    server_date: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An event that says the whole state of an item; None: that it is deleted. `at`: its version, or when it happened;
    None: when the event did. `order`: as of a row; None: the key, or not known."""

    key: str
    state: Mapping[str, Any] | None
    at: datetime | None = None
    order: OrderKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """An event that says only that something about an item has changed, or a part of it: the item is read."""

    key: str


class Lists(Protocol):
    """An adapter of what somebody lists over there.

    Its methods raise RateLimitedError, CursorExpiredError, ProviderUnavailableError or NotAuthorisedError where no
    read happened. What it lists is as little trusted as a webhook. `cursor_after` is
    needed only if the list can be sought, see `Seeks`; `list_changed` only if it filters by change, see `Filters`.
    """

    @property
    def facts(self) -> ProviderFacts:
        """What may be relied on."""

    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        """Return a page of the whole list, in its order. `cursor`: None for the first one."""

    async def get_one(self, key: str) -> Answer:
        """Read one item."""


class Listing(Lists, Protocol):
    """An adapter of one kind of entity in one account of a provider, of which a copy is kept."""

    def observed(self, row: Row) -> Any:
        """Return the event that says of an item what a webhook would have said: an instance of an event class."""

    def deleted(self, key: str) -> Any:
        """Return the event that says that an item was deleted."""

    def read(self, event: Any, envelope: Envelope) -> Snapshot | Hint | None:
        """Return what an event says, of `observed` or from a webhook; None: it is about something else."""


class Seeks(Protocol):
    """A list that can be begun after a place in its order."""

    def cursor_after(self, order_key: OrderKey) -> str: ...


class Filters(Protocol):
    """A list that can be asked what has changed since a time, that time included: `filters_by_change`."""

    async def list_changed(self, *, since: datetime, cursor: str | None, limit: int) -> Page:
        """Return a page of it, ascending by version, or by the time that it is filtered by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is compared with one list, and how often.

    `every`: when the whole list is read, `changes_every`: what has changed; see
    `tidings.reconciliation.rules.times`; None: only when it is asked for. `account`: scopes of one account share
    what it may be asked. `service`: whose processes run it; empty: any that send.
    """

    name: str
    listing: Lists
    every: Every | None = None
    changes_every: Every | None = None
    account: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyScope(Scope):
    """One kind of entity of one provider that a service keeps a copy of.

    `view`: the class of the copy's rows, of which `service` has the view. `events`: the event classes that tell of it.
    """

    listing: Listing
    view: type
    events: tuple[type, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointScope(Scope):
    """What was delivered to an endpoint, as against what its receiver lists. `window`: how far back that list goes for
    certain."""

    endpoint: str
    window: timedelta


def keyed_row(key: str | Callable[[Any], Any]) -> Callable[[Callable[[A, Any], Row]], Callable[[A, Any], Row]]:
    """Have a method that makes the row of an item say which item it is that it raises of, so that it costs no other.

    `key`: the member of an item that is its key, or what returns that. Such an item is an exception of the bound. One
    whose key is not to be known either has a row without one: what its page shows is taken in, and proves nothing.
    """

    def of(make: Callable[[A, Any], Row]) -> Callable[[A, Any], Row]:
        @wraps(make)
        def row(adapter: A, item: Any) -> Row:
            try:
                return make(adapter, item)
            except Exception as error:
                why = f"{type(error).__name__}: {error}"[:WHY_MAX]
                return Row(key=_key_of(item, key), state={}, unreadable=why)

        return row

    return of


def _key_of(item: Any, key: str | Callable[[Any], Any]) -> str:
    try:
        found = item[key] if isinstance(key, str) else key(item)
    except Exception:  # it is as little trusted as the rest of the item
        return ""
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def server_date(headers: Mapping[str, str]) -> datetime | None:
    """Return when a provider made its answer: `Date` less `Age` (RFC 9110 section 6.6.1, RFC 9111 section 5.1)."""
    found = {name.lower(): value for name, value in headers.items()}
    try:
        date = parsedate_to_datetime(found["date"])
        age = int(found.get("age", "0"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if age < 0:
        return None
    made = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return made - timedelta(seconds=age)


def raise_for_status(status: int, headers: Mapping[str, str], *, but: Collection[int] = ()) -> None:
    """Raise what says that no read happened, for an answer that is none. `but`: those that its adapter knows more of,
    such as 404 of one item. NotAuthorisedError, RateLimitedError, ProviderUnavailableError."""
    if status == HTTPStatus.OK or status in but:
        return
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise NotAuthorisedError(f"the provider answered {status}: the credentials are refused")
    found = {name.lower(): value for name, value in headers.items()}
    if status == HTTPStatus.TOO_MANY_REQUESTS or "retry-after" in found:
        raise RateLimitedError(_retry_after(found))
    raise ProviderUnavailableError(f"the provider answered {status}")


async def read_json(body: AsyncIterable[bytes], *, most: int = BODY_MAX) -> Any:
    """Return what the body of an answer says, in pieces as its client hands them over; what a provider lists is as
    little trusted as a webhook. ProviderUnavailableError if it is larger than `most` bytes, or no JSON."""
    whole = bytearray()
    async for piece in body:
        whole += piece
        if len(whole) > most:
            raise ProviderUnavailableError(f"the provider's answer has over {most:,} bytes: ask for smaller pages")
    try:
        return msgspec.json.decode(whole)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ProviderUnavailableError(f"the provider's answer is no JSON: {error}"[:500]) from error


def next_link(url: str, link: str | None) -> str | None:
    """Return where a list goes on, by a link of the answer from `url`; None: it does not.

    ProviderUnavailableError if it leads to another origin, which would be told our credentials.
    """
    if link is None:
        return None
    found = urljoin(url, link)
    try:
        is_here = _origin(found) == _origin(url)
    except ValueError:
        is_here = False
    if not is_here:
        raise ProviderUnavailableError(f"the next page is said to be elsewhere: {found!r:.200}")
    return found


def _origin(url: str) -> tuple[str, str, int | None]:
    """Return what two addresses of one origin share (RFC 6454 section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long to wait: seconds, or until a time by the provider's own clock (RFC 9110 section 10.2.3)."""
    said = headers.get("retry-after", "")
    try:
        if said.isdecimal():
            return timedelta(seconds=int(said))
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(headers["date"])
        return max(until - now, timedelta(0))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
