"""A further database on a server, for whoever wants one of their own: a demonstration, a test."""

from __future__ import annotations

import re

import asyncpg

from tidings.backends.postgres.database import first_connection
from tidings.backends.postgres.names import quoted
from tidings.errors import SettingError
from tidings.settings import without_secrets

_PATH = re.compile(r"(?P<server>postgres(?:ql)?://[^/?#]*)(?:/[^?#]*)?(?P<options>.*)")


def beside(url: str, name: str) -> str:
    """Return the URL of the database called `name` on the same server."""
    return _PATH.sub(rf"\g<server>/{name}\g<options>", url)


async def make_database(url: str, name: str) -> None:
    """Make a database called `name` on the server of `url`. SettingError if its user may not; else as `open_database`.

    The new one is in UTF-8 and sorts texts by their bytes, whatever the server does by itself.
    """
    async with first_connection(url) as (connection, server):
        try:
            await connection.execute(
                f"CREATE DATABASE {quoted(name)} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
            )
        except asyncpg.InsufficientPrivilegeError:
            raise SettingError(
                f"{without_secrets(url)}: the user {server.role} may not make databases: name one who may, or run "
                f"`ALTER ROLE {quoted(server.role)} CREATEDB`"
            ) from None


async def drop_database(url: str, name: str) -> None:
    """Remove the database called `name` from the server of `url`, also if somebody is connected to it."""
    async with first_connection(url) as (connection, _):
        await connection.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
