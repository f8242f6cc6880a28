"""Receivers that are made while the application runs: what a row of the store keeps, and the receiver that it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import msgspec

from tidings.errors import DeclarationError, InvalidConfigurationError
from tidings.events.codec import encode_json, misfit
from tidings.store.receipts import ReceiverRecord
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.presets import PRESETS
from tidings.wording import absent

Unseal = Callable[[bytes], Sequence[str]]
"""Returns a record's secrets as they are written. SettingError if they cannot be read."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an operator says of a receiver, secrets aside. `preset`: its name. `expected_every_s`: in seconds."""

    preset: str
    source: str
    public_url: str | None = None
    expected_every_s: float | None = None
    settings: Mapping[str, str] = {}


def config_of(data: bytes) -> Config:
    """Return the configuration in a JSON object. InvalidConfigurationError, which names the member."""
    try:
        return msgspec.json.decode(data, type=Config)
    except msgspec.MsgspecError as error:
        at, why = misfit(str(error))
        raise InvalidConfigurationError(f"{at or 'receiver'}: {why}", errors=[(at, why)]) from None


def receiver_of(id: str, config: Config, secrets: Sequence[str], presets: Mapping[str, Preset] = PRESETS) -> Receiver:
    """Return the receiver. InvalidConfigurationError for whatever its declaration would be refused for."""
    preset = presets.get(config.preset)
    if preset is None:
        why = absent("preset", config.preset, presets)
        raise InvalidConfigurationError(why, errors=[("/preset", why)])
    every = None if config.expected_every_s is None else timedelta(seconds=config.expected_every_s)
    try:
        made = Receiver(
            id, preset, secrets=secrets, source=config.source, public_url=config.public_url, expected_every=every
        )
        return made.setting(**config.settings)
    except DeclarationError as error:
        raise InvalidConfigurationError(str(error), errors=[("", str(error))]) from None


def plain_secrets(secrets: Sequence[str]) -> bytes:
    """Return secrets as a record keeps them where nothing seals them."""
    return encode_json(list(secrets))


def read_plain(data: bytes) -> Sequence[str]:
    """Return what `plain_secrets` was given."""
    return msgspec.json.decode(data, type=list[str]) if data else ()


def receiver_of_record(record: ReceiverRecord, unseal: Unseal) -> Receiver:
    """Return the receiver that a record means, which was checked before it was kept."""
    made = receiver_of(record.id, config_of(record.config), unseal(record.secrets))
    made.is_retired = record.state == "retired"
    return made
