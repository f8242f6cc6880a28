"""Receivers that are made while the application runs: what is said of one, and what a row of the store keeps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from tidings.errors import DeclarationError, InvalidConfigurationError, SettingError
from tidings.events.codec import encode_json, misfit
from tidings.store.receipts import ReceiverRecord
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.sealing import SETTING, Draw, Keyring, opened_bytes, sealed_bytes
from tidings.wording import absent

EVERY_MAX_S = 31_622_400.0  # a year
_Every = Annotated[float, Meta(ge=1, le=EVERY_MAX_S)]
_Url = Annotated[str, Meta(pattern=r"^https?://[^\s?#]+$")]
_Time = Annotated[datetime, Meta(tz=True)]
StructT = TypeVar("StructT", bound=msgspec.Struct)


class Secret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A secret with its bounds and name; see `tidings.webhooks.receive.keys.Key`."""

    text: str
    name: str | None = None
    not_before: _Time | None = None
    not_after: _Time | None = None

    def __repr__(self) -> str:
        return "Secret(…)"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What anybody may know of a receiver. `preset`: its name. `expected_every_s`: in seconds."""

    preset: str
    source: str
    public_url: _Url | None = None
    expected_every_s: _Every | None = None


class Hidden(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sealed: secrets, and settings, of which some are secrets, too, such as Meta's `verify_token`."""

    secrets: tuple[Secret, ...] = ()
    settings: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return "Hidden(…)"


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator says. `secrets`, `settings`: None for those that are there, which nobody can read."""

    preset: str
    source: str
    public_url: _Url | None = None
    expected_every_s: _Every | None = None
    secrets: tuple[str | Secret, ...] | None = None
    settings: Mapping[str, str] | None = None

    @property
    def config(self) -> Config:
        return Config(
            preset=self.preset,
            source=self.source,
            public_url=self.public_url,
            expected_every_s=self.expected_every_s,
        )

    def hidden(self, before: Hidden) -> Hidden:
        """Return what is to be sealed, with what was sealed before where nothing is said."""
        given = before.secrets if self.secrets is None else tuple(map(_secret, self.secrets))
        return Hidden(secrets=given, settings=before.settings if self.settings is None else self.settings)


def wanted_of(members: Mapping[str, Any]) -> Wanted:
    """Return what the members of a JSON object say. InvalidConfigurationError, which names the member."""
    try:
        return msgspec.convert(members, Wanted)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None


def config_of(data: bytes) -> Config:
    """Return the configuration in a JSON object. InvalidConfigurationError, which names the member."""
    try:
        return msgspec.json.decode(data, type=Config)
    except msgspec.MsgspecError as error:
        raise _invalid(error) from None


def config_bytes(config: Config) -> bytes:
    """Return the JSON object of a configuration."""
    return encode_json(config)


def receiver_of(id: str, config: Config, hidden: Hidden, presets: Mapping[str, Preset] = PRESETS) -> Receiver:
    """Return the receiver. InvalidConfigurationError for whatever its declaration would be refused for."""
    preset = presets.get(config.preset)
    if preset is None:
        why = absent("preset", config.preset, presets)
        raise InvalidConfigurationError(why, errors=[("/preset", why)])
    every = None if config.expected_every_s is None else timedelta(seconds=config.expected_every_s)
    try:
        made = Receiver(
            id,
            preset,
            secrets=keys_of(hidden.secrets),
            source=config.source,
            public_url=config.public_url,
            expected_every=every,
        )
        return made.setting(**hidden.settings)
    except DeclarationError as error:
        raise InvalidConfigurationError(str(error), errors=[("", str(error))]) from None


def keys_of(secrets: Sequence[Secret]) -> tuple[Key, ...]:
    """Return the keys that secrets are. DeclarationError."""
    return tuple(Key(each.text, each.name, each.not_before, each.not_after) for each in secrets)


def sealed_hidden(hidden: Hidden, id: str, keyring: Keyring, draw: Draw) -> bytes:
    """Return what a record keeps of what is secret."""
    return sealed_bytes(encode_json(hidden), keyring, about=_about(id), draw=draw)


def hidden_of(record: ReceiverRecord, keyring: Keyring) -> Hidden:
    """Return what is secret of a record. SettingError if it cannot be read."""
    data = opened_bytes(record.secrets, keyring, about=_about(record.id))
    if data is None:
        raise SettingError(
            f"what is secret of the receiver {record.id!r} cannot be read: {SETTING} does not hold the key under which "
            "it was sealed, or it was changed since"
        )
    return msgspec.json.decode(data, type=Hidden)


def receiver_of_record(record: ReceiverRecord, keyring: Keyring) -> Receiver:
    """Return the receiver that a record means, which was checked before it was kept. SettingError."""
    made = receiver_of(record.id, config_of(record.config), hidden_of(record, keyring))
    made.is_retired = record.state == "retired"
    made.created = record.created
    return made


def _secret(given: str | Secret) -> Secret:
    return given if isinstance(given, Secret) else Secret(text=given)


def _about(id: str) -> str:
    return f"receiver {id}"


def _invalid(error: msgspec.MsgspecError) -> InvalidConfigurationError:
    at, why = misfit(str(error))
    return InvalidConfigurationError(f"{at or 'receiver'}: {why}", errors=[(at, why)])
