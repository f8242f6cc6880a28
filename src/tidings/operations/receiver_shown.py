"""A receiver as it may be shown to anybody who may see receivers. Times: µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tidings.errors import SettingError
from tidings.store.receipts import ReceiptTally, ReceiverRecord
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.intake.records import Config, config_of, hidden_of
from tidings.webhooks.sealing import Keyring

NEWEST = 10_000
"""Of so many of its newest receipts a receiver's counts are."""
State = Literal["active", "retired", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One receiver. `declared`: where, in code; None for one of the store, which has `created` and `version`.

    `setting_names`, `secrets`: which settings and how many secrets; what they are is not shown. `reason`: of one that
    cannot be read here. `last`: when something came last. `is_silent`: nothing came for longer than `every`, in µs.
    """

    id: str
    preset: str
    source: str
    public_url: str | None
    every: int | None
    setting_names: Sequence[str]
    secrets: int
    declared: str | None
    created: int | None
    version: int | None
    state: State
    reason: str | None
    last: int | None
    is_silent: bool
    tally: ReceiptTally


def declared(receiver: Receiver, *, last: int | None, tally: ReceiptTally, begun: int, now: int) -> Shown:
    """Return what may be shown of one that the code declares."""
    every = receiver.expected_us
    return Shown(
        id=receiver.id,
        preset=receiver.preset.name,
        source=receiver.source,
        public_url=receiver.public_url,
        every=every,
        setting_names=sorted(receiver.settings),
        secrets=len(receiver.keys),
        declared=receiver.declared_at or "the application's code",
        created=None,
        version=None,
        state="retired" if receiver.is_retired else "active",
        reason=None,
        last=last,
        is_silent=not receiver.is_retired and is_silent(every, last, begun=begun, now=now),
        tally=tally,
    )


def kept(record: ReceiverRecord, keyring: Keyring, *, last: int | None, tally: ReceiptTally, now: int) -> Shown:
    """Return what may be shown of one of the store."""
    config: Config = config_of(record.config)
    names: Sequence[str] = ()
    state: State = record.state
    count, reason = 0, None
    try:
        hidden = hidden_of(record, keyring)
        names, count = sorted(hidden.settings), len(hidden.secrets)
    except SettingError as error:
        state, reason = "unreadable", str(error)
    every = None if config.expected_every_s is None else round(config.expected_every_s * 1_000_000)
    return Shown(
        id=record.id,
        preset=config.preset,
        source=config.source,
        public_url=config.public_url,
        every=every,
        setting_names=names,
        secrets=count,
        declared=None,
        created=record.created,
        version=record.version,
        state=state,
        reason=reason,
        last=last,
        is_silent=state == "active" and is_silent(every, last, begun=record.created, now=now),
        tally=tally,
    )


def is_silent(every: int | None, last: int | None, *, begun: int, now: int) -> bool:
    """Say whether `receiver.silent` is told of it; see `tidings.webhooks.intake.alarms`."""
    return every is not None and now - (begun if last is None else last) > every
