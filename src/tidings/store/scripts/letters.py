"""Scripts that find what failed: deliveries that are dead, and receipts that became no events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidings.log.driver import Position
from tidings.store.deliveries import DeliveryFilter, conditions_of
from tidings.store.endpoint_deliveries import FOLLOWS
from tidings.store.letters import COUNTED, DeadCount, DeadDelivery, DeadOf, GivenUp, Mark
from tidings.store.parking import other_tables
from tidings.store.receipts import Receipt
from tidings.store.rows import ViewTable
from tidings.store.scripts.receiving import SHOWN as RECEIPT
from tidings.store.scripts.receiving import receipt_of
from tidings.store.scripts.script import Rows, Script, ask

_FIRST: Mark = (-1, -1)
_ITS = "o.endpoint = d.endpoint AND o.subject = d.subject AND o.state = 'dead'"
_EARLIER = f"(SELECT 1 FROM tidings.delivery o WHERE {_ITS} AND o.n < d.n ORDER BY o.n LIMIT 1) IS NOT NULL"
_IN_ORDER = "coalesce((SELECT e.ordering FROM tidings.endpoint e WHERE e.id = d.endpoint) = 'key', FALSE)"
_SHOWN = (
    "d.n, d.key, d.service, d.function, d.endpoint, d.position, d.subject, d.type, d.attempts, d.reason, d.error, "
    f"d.closed, {_IN_ORDER} AND {_EARLIER}, "
    f"(SELECT count(*) FROM tidings.delivery o WHERE {_ITS} AND o.n > d.n AND o.reason = '{FOLLOWS}')"
)
# Of one whose first is not dead any more nobody else would tell.
_TOLD = f"(d.reason <> '{FOLLOWS}' OR d.reason IS NULL OR NOT ({_EARLIER}))"
DEAD = f"SELECT {_SHOWN} FROM tidings.delivery d WHERE d.state = 'dead' AND {_TOLD} AND (d.closed, d.n) > ($1, $2)"
FAILED = f"SELECT {RECEIPT} FROM tidings.receipt WHERE outcome = 'failed' AND (received, n) > ($1, $2)"

# In the order of the partial indexes, so that PostgreSQL walks those and not all rows.
COUNT = (
    "SELECT (SELECT count(*) FROM "
    "(SELECT 1 FROM tidings.delivery WHERE state = 'dead' ORDER BY closed, n LIMIT $1) AS given_up), "
    "(SELECT count(*) FROM "
    "(SELECT 1 FROM tidings.receipt WHERE outcome = 'failed' ORDER BY received, n LIMIT $1) AS failed)"
)

GIVEN_UP = "SELECT d.at, d.who, d.reason FROM tidings.audit d WHERE d.what = 'drop' AND d.pos = $1 AND "
FOR_HANDLERS = (
    "d.done_to = $2 AND NOT EXISTS (SELECT 1 FROM tidings.audit r WHERE r.what = 'replay' AND r.done_to = $2 "
    "AND r.pos <= $1 AND r.n > d.n)"
)
FOR_TABLE = (
    "(d.done_to = $2 OR d.done_to > $3 AND d.done_to < $4 AND d.n <= "
    "(SELECT v.audited FROM tidings.view v WHERE v.service = $5 AND v.name = $6 AND v.version = $7))"
)
LAST = " ORDER BY d.n DESC LIMIT 1"


def counted() -> Script[DeadCount]:
    """See `LetterStore.count_letters`."""
    [(deliveries, receipts)] = yield from ask(COUNT, COUNTED)
    return DeadCount(deliveries=deliveries, receipts=receipts)


CALLS_OF = (
    "SELECT service, count(*) FROM (SELECT service FROM tidings.delivery WHERE state = 'dead' AND service IS NOT NULL "
    "ORDER BY service LIMIT $1) AS dead GROUP BY service"
)
FAILED_OF = (
    "SELECT receiver, count(*) FROM (SELECT receiver FROM tidings.receipt WHERE outcome = 'failed' "
    "ORDER BY received, n LIMIT $1) AS failed GROUP BY receiver"
)


def counted_of() -> Script[DeadOf]:
    """See `LetterStore.count_letters_of`."""
    services = yield from ask(CALLS_OF, COUNTED)
    receivers = yield from ask(FAILED_OF, COUNTED)
    return DeadOf(services=_counts(services), receivers=_counts(receivers))


def _counts(rows: Rows) -> dict[str, int]:
    return {of: int(count) for of, count in rows}


def _dead_of(row: Sequence[Any]) -> DeadDelivery:
    n, key, service, function, endpoint, position, subject, type, *rest = row
    attempts, reason, error, closed, is_behind, followers = rest
    return DeadDelivery(
        n=n,
        key=key,
        service=service,
        function=function,
        endpoint=endpoint,
        position=position,
        subject=subject,
        type=type,
        attempts=attempts,
        reason=reason,
        error=error,
        closed=closed,
        is_behind=bool(is_behind),
        followers=followers,
    )


def dead(where: DeliveryFilter, *, after: Mark | None, limit: int) -> Script[list[DeadDelivery]]:
    """See `LetterStore.dead_deliveries`."""
    asked, held = [DEAD], [*(after or _FIRST)]
    for condition, value in conditions_of(None, where):
        held.append(value)
        asked.append(f"d.{condition.format(f'${len(held)}')}")
    rows = yield from ask(f"{' AND '.join(asked)} ORDER BY d.closed, d.n LIMIT ${len(held) + 1}", *held, limit)
    return [_dead_of(row) for row in rows]


def found(key: str) -> Script[DeadDelivery | None]:
    rows = yield from ask(f"SELECT {_SHOWN} FROM tidings.delivery d WHERE d.key = $1 AND d.state = 'dead'", key)
    return _dead_of(rows[0]) if rows else None


def behind(found: DeadDelivery, *, limit: int) -> Script[list[str]]:
    rows = yield from ask(
        "SELECT key FROM tidings.delivery WHERE endpoint = $1 AND subject = $2 AND state = 'dead' AND n > $3 "
        "AND reason = $4 ORDER BY n LIMIT $5",
        *(found.endpoint, found.subject, found.n, FOLLOWS, limit),
    )
    return [key for (key,) in rows]


def failed(receiver: str | None, *, after: Mark | None, limit: int) -> Script[list[Receipt]]:
    """See `LetterStore.failed_receipts`."""
    of, held = ("", ()) if receiver is None else (" AND receiver = $4", (receiver,))
    rows = yield from ask(f"{FAILED}{of} ORDER BY received, n LIMIT $3", *(after or _FIRST), limit, *held)
    return [receipt_of(row) for row in rows]


def given_up(reader: str | ViewTable, position: Position) -> Script[GivenUp | None]:
    """See `LetterStore.given_up`."""
    if isinstance(reader, ViewTable):
        bounds = (*other_tables(reader), reader.service, reader.view, reader.version)
        rows = yield from ask(f"{GIVEN_UP}{FOR_TABLE}{LAST}", position, reader.consumer, *bounds)
    else:
        rows = yield from ask(f"{GIVEN_UP}{FOR_HANDLERS}{LAST}", position, reader)
    return GivenUp(at=rows[0][0], who=rows[0][1], reason=rows[0][2]) if rows else None
