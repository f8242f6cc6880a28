"""A database's URL, taken apart in one place: what the standard library says of a wrong one may quote its password."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from tidings.errors import SettingError


def unusable_url() -> SettingError:
    """Return what to tell of a URL that says nothing."""
    return SettingError(
        "database_url (TIDINGS_DATABASE_URL) cannot be used: it must be "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with signs in them, and letters but a to z, "
        "percent-encoded: %2F for /, %40 for @, %3F for ?, %23 for #, %5B for [, %5D for ]"
    )


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
