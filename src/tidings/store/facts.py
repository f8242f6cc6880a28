"""What a store back end says about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What a store back end says about itself. `partitions`: how many a consumer has unless told otherwise.

    `unit_seconds`: how long a unit should last at most for the sake of others, who wait for it if there is one writer
    only, or for the rows it has locked.

    `takes_staged`: others than units, in transactions of their own, may put envelopes into its outbox. `engine`: the
    database's product and version; `caution`: what an operator must heed with this version of it.
    """

    name: str
    partitions: int
    unit_seconds: float
    shares_transaction_with_log: bool
    takes_staged: bool = False
    engine: str = ""
    caution: str | None = None
