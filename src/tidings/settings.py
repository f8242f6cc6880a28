"""What an operator may set: `TIDINGS_*` variables over `tidings.toml`, each with a type and a default."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

from tidings.errors import SettingError

PREFIX = "TIDINGS_"
IN_MEMORY = ":memory:"
TOML = "tidings.toml"
_URLS = frozenset({"database_url", "log_url"})

_FILE_URL = re.compile(r"sqlite:///([^?#]+)")
_SERVER_URL = re.compile(r"postgres(?:ql)?://[^\s/].*")
_USER_IN_URL = re.compile(r"//.*@")
_NO_PORT = re.compile(r":(?!\d*(?:[,/]|$))(?![^/,]*\])[^/,]*")
_APP = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_SERVICES = re.compile(r"[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*")
_DATA_BYTES_MAX = 1 << 20
_DATABASE_URLS = (
    "postgresql://USER:PASSWORD@HOST/DATABASE, sqlite:///FILE (a fourth slash for a path from the root) or "
    "sqlite:///:memory:"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One frozen bundle of settings. SettingError if a value cannot be used.

    `database_url`: `postgresql://…`, `sqlite:///FILE`, or `sqlite:///:memory:`. `log_url`: None, so that the log lies
    in the database. `app`: `module:attribute` of the App. `services`: whose handlers, views and deliveries are carried
    here, joined by commas; None for all of the App's. `host`, `port`: where the server listens. `sqlite_synchronous`:
    "normal" may lose acknowledged events at power loss. `postgres_connections`: most of this process, besides the one
    on which it is told of other processes' appends. `shutdown_grace`: seconds that work under way is given to finish.
    `console`: "off" leaves the operator's pages out. `data_bytes_max`: most bytes of one event's data, from 65,536 to
    1,048,576. `time_ahead_max`: how many seconds the time of an event from outside may lie ahead of the clock here.
    `address_rate`, `key_rate`, `source_rate`: how many requests of one address or API key, and events of one
    source, are taken a second; 0 for any number. `otel`: "on" for spans and metrics by OpenTelemetry's global
    providers.
    """

    database_url: str = "sqlite:///tidings.db"
    log_url: str | None = None
    app: str | None = None
    services: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    sqlite_synchronous: Literal["full", "normal"] = "full"
    postgres_connections: int = 10
    shutdown_grace: float = 25.0
    console: Literal["on", "off"] = "on"
    data_bytes_max: int = 262_144
    time_ahead_max: float = 86_400.0
    address_rate: float = 0.0
    key_rate: float = 0.0
    source_rate: float = 0.0
    otel: Literal["on", "off"] = "off"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                _CHECKS[field.name](value)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{field.name}={self.shown(field.name)!r}' for field in fields(self))})"

    def shown(self, name: str) -> Any:
        """Return the value of a setting as it may be shown to anybody: no URL's user, password or options."""
        value = getattr(self, name)
        return without_secrets(value) if name in _URLS and value is not None else value

    @property
    def engine(self) -> Literal["sqlite", "postgresql"]:
        """Which back end the database's URL names."""
        return "sqlite" if self.database_url.startswith("sqlite:") else "postgresql"

    @property
    def sqlite_path(self) -> str:
        """The file of the database, or `:memory:`. Only where the engine is SQLite."""
        found = _FILE_URL.fullmatch(self.database_url)
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


def without_secrets(url: str) -> str:
    """Return a URL without its user and password, and without options, any of which may be a password, too.

    A password that was not escaped as it should be is no more shown than any other.
    """
    if url.startswith("sqlite:"):
        return url
    bare = _USER_IN_URL.sub("//", url).partition("?")[0].partition("#")[0]
    scheme, mark, rest = bare.partition("//")
    return scheme + mark + _NO_PORT.sub("", rest)


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
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {spell(near[0])}?" if near else f"there is {', '.join(map(spell, names))}"
    raise SettingError(f"there is no setting {shown}: {hint}")


def _text(value: Any, name: str) -> Any:
    if not isinstance(value, str):
        raise _wrong(name, value, "a text in quotes")
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
    {"port": _whole, "data_bytes_max": _whole, "postgres_connections": _whole, "shutdown_grace": _number}
    | dict.fromkeys(("address_rate", "key_rate", "source_rate", "time_ahead_max"), _number)
)


def _wrong(name: str, value: object, wanted: str) -> SettingError:
    if name in _URLS and isinstance(value, str):
        value = without_secrets(value)
    return SettingError(f"{name} ({PREFIX}{name.upper()}) must be {wanted}, not {value!r:.80}")


def _in(name: str, low: float, high: float, kind: type) -> Callable[[object], None]:
    wanted = f"a {'whole ' if kind is int else ''}number from {low:,} to {high:,}"

    def check(value: object) -> None:
        allowed = (int,) if kind is int else (int, float)
        if type(value) not in allowed or not low <= cast(float, value) <= high:
            raise _wrong(name, value, wanted)

    return check


def _check_app(value: object) -> None:
    if not isinstance(value, str) or not _APP.fullmatch(value):
        raise _wrong("app", value, "MODULE:ATTRIBUTE, such as chirp:app")


def _check_services(value: object) -> None:
    if not isinstance(value, str) or not _SERVICES.fullmatch(value):
        raise _wrong("services", value, "names of services joined by commas, such as orders,users")


def _check_host(value: object) -> None:
    if not isinstance(value, str) or not value:
        raise _wrong("host", value, "a host name or an address, such as 127.0.0.1")


def _check_synchronous(value: object) -> None:
    if value not in ("full", "normal"):
        raise _wrong("sqlite_synchronous", value, '"full" or "normal"')


def _switch(name: str) -> Callable[[object], None]:
    def check(value: object) -> None:
        if value not in ("on", "off"):
            raise _wrong(name, value, '"on" or "off"')

    return check


def _check_log_url(value: object) -> None:
    raise SettingError(
        f"log_url ({PREFIX}LOG_URL) is set, but this release keeps the log in the database only: leave it out"
    )


def _check_database_url(url: object) -> None:
    if not isinstance(url, str):
        raise _wrong("database_url", url, "a URL in quotes")
    scheme, plus, driver = url.partition(":")[0].partition("+")
    if plus and scheme in ("postgres", "postgresql"):
        raise _wrong("database_url", url, f"postgresql://…, without the +{driver} that other libraries want")
    if not (_FILE_URL.fullmatch(url) or _SERVER_URL.fullmatch(url)):
        raise _wrong("database_url", url, _DATABASE_URLS)


_CHECKS: Mapping[str, Callable[[object], object]] = MappingProxyType(
    {
        "database_url": _check_database_url,
        "log_url": _check_log_url,
        "app": _check_app,
        "services": _check_services,
        "host": _check_host,
        "port": _in("port", 0, 65_535, int),
        "postgres_connections": _in("postgres_connections", 2, 1_000, int),
        "sqlite_synchronous": _check_synchronous,
        "shutdown_grace": _in("shutdown_grace", 0, 3_600, float),
        "console": _switch("console"),
        "otel": _switch("otel"),
        **{name: _in(name, 0, 1_000_000, float) for name in ("address_rate", "key_rate", "source_rate")},
        "time_ahead_max": _in("time_ahead_max", 0, 1_000_000_000, float),
        "data_bytes_max": _in("data_bytes_max", 65_536, _DATA_BYTES_MAX, int),
    }
)
