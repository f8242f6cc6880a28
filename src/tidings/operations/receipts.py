"""Webhooks that could not be translated: dead letters of the kind `receipt`, translated again, or given up."""

from __future__ import annotations

from tidings.operations.dead import told
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.receipts import Receipt, no_receipt, not_failed
from tidings.webhooks.intake.replaying import Again, Replayed, replay


async def redrive(again: Again, n: int, *, who: str) -> Replayed:
    """Translate the stored bytes of a receipt that failed by the code as it is now, once.

    Its events are appended with what the audit keeps of it; what still cannot be translated stays what it is, with the
    error of this time. NotFoundError; RefusedError if it has not failed, or its receiver is not there any more.
    """
    await _check_failed(again.store, n)
    return await replay(again, n, nonce="", who=who)


async def drop(store: StoreDriver, n: int, *, reason: str, who: str) -> Receipt:
    """Give up a receipt that failed, for a reason that the audit keeps; return it as it was.

    CallerError without a reason; NotFoundError; RefusedError if it has not failed.
    """
    why = told(reason)
    found = await store.receipt(n)
    if found is None:
        raise no_receipt(n)
    change = Change(who=who, what="drop", on=f"receiver {found.receiver}", subject=f"receipt {n}", reason=why)
    async with store.changing(change) as changing:
        await changing.drop_receipt(n)
    return found


async def _check_failed(store: StoreDriver, n: int) -> None:
    found = await store.receipt(n)
    if found is None:
        raise no_receipt(n)
    if found.outcome != "failed":
        raise not_failed(n, found.outcome)
