"""What an operator may set: `TIDINGS_*` variables over `tidings.toml`, each with a type and a default."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from tidings.errors import SettingError
from tidings.settings.checks import CHECKS, FILE_URL, PREFIX, SECRETS, URLS, without_secrets, wrong

__all__ = ["IN_MEMORY", "PREFIX", "TOML", "Settings", "load", "origins", "read_toml", "without_secrets"]

IN_MEMORY = ":memory:"
TOML = "tidings.toml"
HIDDEN = "…"
NEAR = 0.7
"""How alike a wrong name must be for one to be suggested instead: a slip of the fingers, no other word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One frozen bundle of settings. SettingError if a value cannot be used.

    `database_url`: `postgresql://…`, `sqlite:///FILE`, or `sqlite:///:memory:`. `log_url`: None, so that the log lies
    in the database. `app`: `module:attribute` of the App. `services`: whose handlers, views and deliveries are carried
    here, joined by commas; None for all of the App's. `host`, `port`: where the server listens. `sqlite_synchronous`:
    "normal" may lose acknowledged events at power loss. `public_url`: where others reach the API, with the path below
    which it is served; None if nobody says. `postgres_connections`: most of this process, besides the one
    on which it is told of other processes' appends. `shutdown_grace`: seconds that work under way is given to finish.
    `console`: "off" leaves the operator's pages out. `revision`: the release, as plans name it. `gates`: "manual" to
    have versions of events opened by `tidings versions open` alone. `version_policy`: what is done with an event of a
    service whose version is not open: "downcast" (an open one below), "refuse" or "warn" (appended, and told);
    `version_policy_outside`: of an event from outside, "refuse" or "warn". `strict_sunset`: "on" to end a version on
    its date though a service still writes it. `data_bytes_max`: most bytes of one event's data, from 65,536 to
    1,048,576. `time_ahead_max`: how many seconds the time of an event from outside may lie ahead of the clock here.
    `address_rate`, `key_rate`, `source_rate`: how many requests of one address or API key, and events of one source,
    are taken a second; 0 for any number. `otel`: "on" for spans and metrics by OpenTelemetry's global providers.

    Of webhooks that are sent: `delivery_delays`: seconds before each attempt, joined by commas, one to ten.
    `delivery_timeout`, `delivery_connect_timeout`: seconds of one request. `delivery_in_flight`: requests at once.
    `delivery_subnets`: private networks that may be sent to, and `delivery_ports` the only ports, joined by commas.
    `delivery_http`: "on" so that a URL need not begin with https. `delivery_proxy`: `http://ADDRESS:PORT`, which then
    checks addresses. `master_key`: under which their secrets are kept, the newest first, joined by commas.
    """

    database_url: str = "sqlite:///tidings.db"
    log_url: str | None = None
    app: str | None = None
    services: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str | None = None
    sqlite_synchronous: Literal["full", "normal"] = "full"
    postgres_connections: int = 10
    shutdown_grace: float = 25.0
    console: Literal["on", "off"] = "on"
    revision: str = ""
    gates: Literal["auto", "manual"] = "auto"
    version_policy: Literal["downcast", "refuse", "warn"] = "downcast"
    version_policy_outside: Literal["refuse", "warn"] = "refuse"
    strict_sunset: Literal["on", "off"] = "off"
    data_bytes_max: int = 262_144
    time_ahead_max: float = 86_400.0
    address_rate: float = 0.0
    key_rate: float = 0.0
    source_rate: float = 0.0
    otel: Literal["on", "off"] = "off"
    delivery_delays: str = "0,5,300,1800,7200,18000,36000,50400,72000,86400"
    delivery_timeout: float = 20.0
    delivery_connect_timeout: float = 5.0
    delivery_in_flight: int = 200
    delivery_subnets: str | None = None
    delivery_ports: str | None = None
    delivery_http: Literal["on", "off"] = "off"
    delivery_proxy: str | None = None
    master_key: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                CHECKS[field.name](value)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{field.name}={self.shown(field.name)!r}' for field in fields(self))})"

    def shown(self, name: str) -> Any:
        """Return the value of a setting as may be shown to anybody: no key, no URL's user, password or options."""
        value = getattr(self, name)
        if name in SECRETS and value is not None:
            return HIDDEN
        return without_secrets(value) if name in URLS and value is not None else value

    @property
    def engine(self) -> Literal["sqlite", "postgresql"]:
        """Which back end the database's URL names."""
        return "sqlite" if self.database_url.startswith("sqlite:") else "postgresql"

    @property
    def sqlite_path(self) -> str:
        """The file of the database, or `:memory:`. Only where the engine is SQLite."""
        found = FILE_URL.fullmatch(self.database_url)
        assert found is not None, self.engine
        return found[1]

    @property
    def place(self) -> str:
        """Where the database is, in words for people, without anything secret."""
        return self.sqlite_path if self.engine == "sqlite" else without_secrets(self.database_url)

    @property
    def carried(self) -> tuple[str, ...] | None:
        """The names of the services that are carried here; None for all."""
        return None if self.services is None else tuple(self.services.split(","))


def read_toml() -> str | None:
    """Return the text of `tidings.toml` in this folder; None if there is none. SettingError if it cannot be read."""
    file = Path(TOML)
    if not file.is_file():
        return None
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{TOML} cannot be read: {error}") from None


def load(environ: Mapping[str, str], toml_text: str | None = None) -> Settings:
    """Return the settings of these environment variables over this text of a `tidings.toml`.

    A variable that is empty counts as not set. SettingError, which names it, for a setting that is unknown or wrong.
    """
    given = _from_toml(toml_text) if toml_text else {}
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and text:
            given[_known(variable.removeprefix(PREFIX).lower(), shown=variable)] = text
    return Settings(**{name: _READ.get(name, _text)(value, name) for name, value in given.items()})


def origins(environ: Mapping[str, str], toml_text: str | None = None) -> dict[str, str]:
    """Return who set each setting: the name of a variable, "tidings.toml", or "default". SettingError as in `load`."""
    in_file = _from_toml(toml_text) if toml_text else {}
    found = {}
    for field in fields(Settings):
        variable = PREFIX + field.name.upper()
        below = "tidings.toml" if field.name in in_file else "default"
        found[field.name] = variable if environ.get(variable) else below
    return found


def _from_toml(text: str) -> dict[str, Any]:
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"tidings.toml cannot be read: {error}") from None
    return {_known(name, shown=name): value for name, value in given.items()}


def _known(name: str, *, shown: str) -> str:
    names = [field.name for field in fields(Settings)]
    if name in names:
        return name
    spell = (lambda known: PREFIX + known.upper()) if shown.startswith(PREFIX) else str
    near = difflib.get_close_matches(name, names, n=1, cutoff=NEAR)
    listed = "take it out, and `tidings config show` lists those there are"
    raise SettingError(f"there is no setting {shown}: {f'did you mean {spell(near[0])}?' if near else listed}")


def _text(value: Any, name: str) -> Any:
    if not isinstance(value, str):
        raise wrong(name, value, "a text in quotes")
    return value


def _whole(value: Any, name: str) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value


def _number(value: Any, name: str) -> Any:
    try:
        return value if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return value


_READ: Mapping[str, Callable[[Any, str], Any]] = MappingProxyType(
    dict.fromkeys(("port", "data_bytes_max", "postgres_connections", "delivery_in_flight"), _whole)
    | dict.fromkeys(("address_rate", "key_rate", "source_rate", "time_ahead_max", "shutdown_grace"), _number)
    | dict.fromkeys(("delivery_timeout", "delivery_connect_timeout"), _number)
)
