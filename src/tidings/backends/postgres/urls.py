"""A database's URL, taken apart in one place: what the standard library says of a wrong one may quote its password."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qs, urlsplit

import asyncpg

from tidings.backends.postgres.failures import described
from tidings.errors import SettingError

_TLS = "ssl_min_protocol_version and ssl_max_protocol_version must be versions of TLS, such as TLSv1.2"
_SERVERS = "any, primary, standby, prefer-standby, read-write or read-only"
_OF_OPTIONS = (
    ("target_session_attrs", f"target_session_attrs (or PGTARGETSESSIONATTRS) must be {_SERVERS}"),
    ("gsslib", "gsslib (or PGGSSLIB) must be gssapi or sspi"),
    ("No such TLS", _TLS),
    ("Unsupported TLS", _TLS),
    ("root certificate file", None),
    ("`ssl", None),
    ("direct TLS", None),
    ("could not match", None),
)
"""How the driver begins what it says of an option or its variable, and what is told: None for its own words."""
_PORT_MAX = 65535


def unusable_url() -> SettingError:
    """Return what to tell of a URL that says nothing."""
    return SettingError(
        "database_url (TIDINGS_DATABASE_URL) cannot be used: it must be "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with signs in them, and letters but a to z, "
        "percent-encoded: %2F for /, %40 for @, %3F for ?, %23 for #, %5B for [, %5D for ]"
    )


def refused(url: str, error: Exception) -> SettingError:
    """Return what to tell of a URL that the driver refused: its own text may quote a password, or any other value."""
    said = described(error) if isinstance(error, asyncpg.ClientConfigurationError) else ""
    told = next((told or said for start, told in _OF_OPTIONS if said.startswith(start)), _wrong_options(url))
    return unusable_url() if told is None else SettingError(f"TIDINGS_DATABASE_URL cannot be used: {told}")


def _wrong_options(url: str) -> str | None:
    query = split_url(url).query
    try:
        ports = parse_qs(query, strict_parsing=bool(query)).get("port", ["0"])[-1].split(",")
    except ValueError:
        # More likely the rest of a password, if there is an @ behind it.
        return None if "@" in query else "what stands behind its ? must be NAME=VALUE, joined by &"
    if all(port.isdecimal() and int(port) <= _PORT_MAX for port in ports):
        return None
    return f"port must be a number from 0 to {_PORT_MAX}"


def split_url(url: str) -> SplitResult:
    """Return the parts of a database's URL. SettingError, which quotes nothing of it, if they cannot be told apart."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise unusable_url() from None
    # Of a password with a sign that is not encoded, the rest is taken for a host or for a database.
    if parts.netloc.count("@") > 1 or "@" in parts.path or "@" in parts.fragment:
        raise unusable_url()
    return parts
