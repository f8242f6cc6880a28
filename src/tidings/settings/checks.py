"""What each setting may be, checked one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

from tidings.errors import SettingError

PREFIX = "TIDINGS_"
URLS = frozenset({"database_url", "log_url", "delivery_proxy"})
SECRETS = frozenset({"master_key"})
FILE_URL = re.compile(r"sqlite:///([^?#]+)")
_SERVER_URL = re.compile(r"postgres(?:ql)?://[^\s/].*")
_USER_IN_URL = re.compile(r"//.*@", re.DOTALL)
_NO_PORT = re.compile(r"(?P<address>(?:^|(?<=,))\[[^\]/,]*\])|:(?!\d*(?:[,/]|$))[^/,]*")
_APP = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_SERVICES = re.compile(r"[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*")
_PUBLIC_URL = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[A-Za-z0-9._~%-]+)*", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9._+-]{0,64}")
_DELAYS = re.compile(r"\d{1,7}(\.\d{1,6})?(,\d{1,7}(\.\d{1,6})?){0,9}", re.ASCII)
_DATA_BYTES_MAX = 1 << 20
_DATABASE_URLS = (
    "postgresql://USER:PASSWORD@HOST/DATABASE, sqlite:///FILE (a fourth slash for a path from the root) or "
    "sqlite:///:memory:"
)


def without_secrets(url: str) -> str:
    """Return a URL without its user and password, and without options, any of which may be a password, too.

    A password that was not escaped as it should be is no more shown than any other.
    """
    if url.startswith("sqlite:"):
        return url
    bare = _USER_IN_URL.sub("//", url).partition("?")[0].partition("#")[0]
    scheme, mark, rest = bare.partition("//")
    return scheme + mark + _NO_PORT.sub(r"\g<address>", rest)


def wrong(name: str, value: object, wanted: str) -> SettingError:
    if name in SECRETS:
        return SettingError(f"{name} ({PREFIX}{name.upper()}) must be {wanted}")
    if name in URLS and isinstance(value, str):
        value = without_secrets(value)
    return SettingError(f"{name} ({PREFIX}{name.upper()}) must be {wanted}, not {value!r:.80}")


def _in(name: str, low: float, high: float, kind: type) -> Callable[[object], None]:
    wanted = f"a {'whole ' if kind is int else ''}number from {low:,} to {high:,}"

    def check(value: object) -> None:
        allowed = (int,) if kind is int else (int, float)
        if type(value) not in allowed or not low <= cast(float, value) <= high:
            raise wrong(name, value, wanted)

    return check


def _check_app(value: object) -> None:
    if not isinstance(value, str) or not _APP.fullmatch(value):
        raise wrong("app", value, "MODULE:ATTRIBUTE, such as chirp:app")


def _check_services(value: object) -> None:
    if not isinstance(value, str) or not _SERVICES.fullmatch(value):
        raise wrong("services", value, "names of services joined by commas, such as orders,users")


def _check_host(value: object) -> None:
    if not isinstance(value, str) or not value:
        raise wrong("host", value, "a host name or an address, such as 127.0.0.1")


def _check_synchronous(value: object) -> None:
    if value not in ("full", "normal"):
        raise wrong("sqlite_synchronous", value, '"full" or "normal"')


def _switch(name: str) -> Callable[[object], None]:
    def check(value: object) -> None:
        if value not in ("on", "off"):
            raise wrong(name, value, '"on" or "off"')

    return check


def _check_public_url(value: object) -> None:
    if not isinstance(value, str) or not _PUBLIC_URL.fullmatch(value):
        raise wrong("public_url", value, "a URL without a slash at its end, such as https://events.example.org/api")


def _check_revision(value: object) -> None:
    if not isinstance(value, str) or not _REVISION.fullmatch(value):
        raise wrong("revision", value, "at most 64 letters, digits, '.', '_', '+' and '-'")


def _one_of(name: str, *words: str) -> Callable[[object], None]:
    wanted = " or ".join(f'"{word}"' for word in words)

    def check(value: object) -> None:
        if value not in words:
            raise wrong(name, value, wanted)

    return check


def _some_text(name: str, wanted: str) -> Callable[[object], None]:
    def check(value: object) -> None:
        if not isinstance(value, str) or not value:
            raise wrong(name, value, wanted)

    return check


def _check_delays(value: object) -> None:
    if not isinstance(value, str) or not _DELAYS.fullmatch(value):
        raise wrong("delivery_delays", value, "one to ten numbers of seconds joined by commas, such as 0,5,300")


def _check_log_url(value: object) -> None:
    raise SettingError(
        f"log_url ({PREFIX}LOG_URL) is set, but this release keeps the log in the database only: leave it out"
    )


def _check_database_url(url: object) -> None:
    if not isinstance(url, str):
        raise wrong("database_url", url, "a URL in quotes")
    scheme, plus, driver = url.partition(":")[0].partition("+")
    if plus and scheme in ("postgres", "postgresql"):
        raise wrong("database_url", url, f"postgresql://…, without the +{driver} that other libraries want")
    if not (FILE_URL.fullmatch(url) or _SERVER_URL.fullmatch(url)):
        raise wrong("database_url", url, _DATABASE_URLS)


CHECKS: Mapping[str, Callable[[object], object]] = MappingProxyType(
    {
        "database_url": _check_database_url,
        "log_url": _check_log_url,
        "app": _check_app,
        "services": _check_services,
        "host": _check_host,
        "port": _in("port", 0, 65_535, int),
        "public_url": _check_public_url,
        "postgres_connections": _in("postgres_connections", 2, 1_000, int),
        "sqlite_synchronous": _check_synchronous,
        "shutdown_grace": _in("shutdown_grace", 0, 3_600, float),
        "console": _switch("console"),
        "revision": _check_revision,
        "gates": _one_of("gates", "auto", "manual"),
        "version_policy": _one_of("version_policy", "downcast", "refuse", "warn"),
        "version_policy_outside": _one_of("version_policy_outside", "refuse", "warn"),
        "strict_sunset": _switch("strict_sunset"),
        "otel": _switch("otel"),
        **{name: _in(name, 0, 1_000_000, float) for name in ("address_rate", "key_rate", "source_rate")},
        "time_ahead_max": _in("time_ahead_max", 0, 1_000_000_000, float),
        "delivery_delays": _check_delays,
        "delivery_timeout": _in("delivery_timeout", 0.01, 600, float),
        "delivery_connect_timeout": _in("delivery_connect_timeout", 0.01, 600, float),
        "delivery_in_flight": _in("delivery_in_flight", 2, 10_000, int),
        "delivery_subnets": _some_text("delivery_subnets", "networks joined by commas, such as 10.1.0.0/16"),
        "delivery_ports": _some_text("delivery_ports", "ports joined by commas, such as 443,8443"),
        "delivery_http": _switch("delivery_http"),
        "delivery_proxy": _some_text("delivery_proxy", "a URL such as http://10.0.0.5:3128"),
        "master_key": _some_text("master_key", "base64, as `openssl rand -base64 32` prints it"),
        "data_bytes_max": _in("data_bytes_max", 65_536, _DATA_BYTES_MAX, int),
    }
)
