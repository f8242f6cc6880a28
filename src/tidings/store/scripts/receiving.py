"""Scripts about receipts and receivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidings.store.reason import readable
from tidings.store.receipts import (
    Receipt,
    ReceiptOutcome,
    ReceiptTally,
    ReceiverRecord,
    Stored,
    no_receipt,
    no_receiver,
    not_failed,
)
from tidings.store.scripts.script import Script, ask, count

SHOWN = "n, receiver, source, received, outcome, error, items, seen, last_seen, replayed, replays, length(body)"
_RECEIVER = "id, config, created, secrets, version, state"


def receipt_of(row: Sequence[Any]) -> Receipt:
    """Return what a row of `SHOWN` says."""
    n, receiver, source, received, outcome, error, items, *rest = row
    seen, last_seen, replayed, replays, size = rest
    return Receipt(
        n=n,
        receiver=receiver,
        source=source,
        received=received,
        outcome=outcome,
        error=error,
        items=items,
        seen=seen,
        last_seen=last_seen,
        replayed=replayed,
        replays=replays,
        bytes=size,
    )


def listed(wanted: Mapping[str, Any], *, before: int | None, limit: int) -> Script[list[Receipt]]:
    """Return receipts. `wanted`: conditions without their values, such as `receiver = `, and these; None: any."""
    asked, held = ["n < $1"], [(1 << 62) if before is None else before, limit]
    for condition, value in wanted.items():
        if value is not None:
            held.append(value)
            asked.append(f"{condition}${len(held)}")
    rows = yield from ask(
        f"SELECT {SHOWN} FROM tidings.receipt WHERE {' AND '.join(asked)} ORDER BY n DESC LIMIT $2", *held
    )
    return [receipt_of(row) for row in rows]


def found(n: int) -> Script[Receipt | None]:
    rows = yield from ask(f"SELECT {SHOWN} FROM tidings.receipt WHERE n = $1", n)
    return receipt_of(rows[0]) if rows else None


def stored(n: int) -> Script[Stored | None]:
    rows = yield from ask(
        f"SELECT method, query, headers, body, {SHOWN} FROM tidings.receipt WHERE n = $1 AND body IS NOT NULL", n
    )
    if not rows:
        return None
    method, query, headers, body, *shown = rows[0]
    return Stored(receipt=receipt_of(shown), method=method, query=query, headers=headers, body=body)


def counted(outcome: ReceiptOutcome) -> Script[int]:
    [(found,)] = yield from ask("SELECT count(*) FROM tidings.receipt WHERE outcome = $1", outcome)
    return int(found)


def tally(receiver: str, *, newest: int) -> Script[ReceiptTally]:
    rows = yield from ask(
        "SELECT outcome, count(*), sum(seen) FROM (SELECT outcome, seen FROM tidings.receipt WHERE receiver = $1 "
        "ORDER BY n DESC LIMIT $2) AS newest GROUP BY outcome",
        *(receiver, newest),
    )
    kept = {outcome: int(found) for outcome, found, _ in rows}
    return ReceiptTally(outcomes=kept, repeats=sum(int(seen) for _, _, seen in rows) - sum(kept.values()))


def finish(n: int, items: bytes, *, at: int | None) -> Script[str | None]:
    """Note that a receipt became events; return its source. `at`: when it was replayed.

    None if it had become some before, or is gone. Its keys are the back end's to keep."""
    rows = yield from ask(
        "UPDATE tidings.receipt SET outcome = 'stored', error = NULL, items = $2, replayed = coalesce($3, replayed), "
        "replays = replays + CASE WHEN $3 IS NULL THEN 0 ELSE 1 END WHERE n = $1 AND outcome = 'failed' "
        "RETURNING source",
        *(n, items, at),
    )
    return rows[0][0] if rows else None


def note_replay(n: int, error: str | None, *, at: int) -> Script[None]:
    """Note that a receipt was translated again; `error`: why one that failed is still no events."""
    changed = yield from count(
        "UPDATE tidings.receipt SET replayed = $2, replays = replays + 1, error = coalesce($3, error) "
        "WHERE n = $1 RETURNING 1",
        *(n, at, readable(error)),
    )
    if not changed:
        raise no_receipt(n)


def drop(n: int) -> Script[None]:
    rows = yield from ask("SELECT outcome FROM tidings.receipt WHERE n = $1 FOR UPDATE", n)
    if not rows:
        raise no_receipt(n)
    if rows[0][0] != "failed":
        raise not_failed(n, rows[0][0])
    yield from ask("UPDATE tidings.receipt SET outcome = 'dropped' WHERE n = $1 RETURNING 1", n)


def last_received(receivers: Sequence[str]) -> Script[dict[str, int]]:
    found = {}
    for receiver in receivers:
        rows = yield from ask(
            "SELECT last_seen FROM tidings.receipt WHERE receiver = $1 ORDER BY n DESC LIMIT 1", receiver
        )
        if rows:
            found[receiver] = int(rows[0][0])
    return found


def redrive_events(source: str, ids: Sequence[str], *, at: int) -> Script[int]:
    woken = 0
    for id in ids:
        woken += yield from count(
            "UPDATE tidings.parked SET state = 'retrying', next_at = $3, attempts = 0 WHERE (consumer, subject) IN "
            "(SELECT consumer, subject FROM tidings.dead_letter WHERE source = $1 AND id = $2) RETURNING 1",
            *(source, id, at),
        )
    return woken


def forget_bodies(*, before: int, limit: int) -> Script[int]:
    return (
        yield from count(
            "UPDATE tidings.receipt SET body = NULL, headers = NULL, query = NULL WHERE n IN (SELECT n FROM "
            "tidings.receipt WHERE body IS NOT NULL AND outcome <> 'failed' AND received < $1 ORDER BY received "
            "LIMIT $2) RETURNING 1",
            *(before, limit),
        )
    )


def _receiver_of(row: Sequence[Any]) -> ReceiverRecord:
    id, config, created, secrets, version, state = row
    return ReceiverRecord(id=id, config=config, created=created, secrets=secrets or b"", version=version, state=state)


def add_receiver(receiver: ReceiverRecord) -> Script[bool]:
    added = yield from count(
        "INSERT INTO tidings.receiver (id, config, created, secrets, state) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT DO NOTHING RETURNING 1",
        *(receiver.id, receiver.config, receiver.created, receiver.secrets, receiver.state),
    )
    return added == 1


def change_receiver(receiver: ReceiverRecord) -> Script[ReceiverRecord | None]:
    rows = yield from ask(
        "UPDATE tidings.receiver SET version = version + 1, config = $3, secrets = $4, state = $5 "
        f"WHERE id = $1 AND version = $2 RETURNING {_RECEIVER}",
        *(receiver.id, receiver.version, receiver.config, receiver.secrets, receiver.state),
    )
    if rows:
        return _receiver_of(rows[0])
    if (yield from find_receiver(receiver.id)) is None:
        raise no_receiver(receiver.id)
    return None


def find_receiver(id: str) -> Script[ReceiverRecord | None]:
    rows = yield from ask(f"SELECT {_RECEIVER} FROM tidings.receiver WHERE id = $1", id)
    return _receiver_of(rows[0]) if rows else None


def receivers() -> Script[list[ReceiverRecord]]:
    rows = yield from ask(f"SELECT {_RECEIVER} FROM tidings.receiver ORDER BY id")
    return [_receiver_of(row) for row in rows]
