"""Webhooks that could not be translated: dead letters of the kind `receipt`, given up for a reason."""

from __future__ import annotations

from tidings.errors import CallerError
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.receipts import Receipt, no_receipt


async def drop(store: StoreDriver, n: int, *, reason: str, who: str) -> Receipt:
    """Give up a receipt that failed, for a reason that the audit keeps; return it as it was.

    CallerError without a reason; NotFoundError; RefusedError if it has not failed.
    """
    if not reason.strip():
        raise CallerError("say why it is given up: the reason is kept in the audit")
    found = await store.receipt(n)
    if found is None:
        raise no_receipt(n)
    change = Change(
        who=who, what="drop", on=f"receiver {found.receiver}", subject=f"receipt {n}", reason=reason.strip()
    )
    async with store.changing(change) as changing:
        await changing.drop_receipt(n)
    return found
