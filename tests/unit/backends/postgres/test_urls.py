"""What is said of a URL that names no database: never a part of a password."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlsplit

import pytest

from tidings.backends.postgres.beside import make_database
from tidings.backends.postgres.certificates import unusable
from tidings.backends.postgres.database import open_database
from tidings.backends.postgres.migrating import schema_of
from tidings.backends.postgres.restoring import life_of
from tidings.backends.postgres.urls import split_url
from tidings.errors import SettingError
from tidings.ports import SystemClock
from tidings.settings import Settings

UNESCAPED = [
    "postgresql://shop:[hunter2]@127.0.0.1/x",
    "postgresql://shop:hunter2\u2100@127.0.0.1/x",
    "postgresql://u:hunter2]w@h/x",
    "postgresql://shop:hunter2@[::1/x",
    "postgresql://[::1/x",
    "postgresql://shop:2024/hunter2@127.0.0.1/shop",
    "postgresql://shop:2024#hunter2@127.0.0.1/shop",
    "postgresql://shop:2024?hunter2@127.0.0.1/shop",
    "postgresql://shop:hunter2@hunter2@127.0.0.1/shop",
]

WITH_OPTIONS = "postgresql:///shop?password=hunter2&host=127.0.0.1&"


@pytest.mark.parametrize("url", UNESCAPED)
async def test_a_url_that_cannot_be_taken_apart_is_told_without_what_may_be_its_password(url: str) -> None:
    open_it: Callable[[str], Awaitable[object]]
    for open_it in (open_database, schema_of, partial(life_of, clock=SystemClock()), partial(make_database, name="x")):
        with pytest.raises(SettingError, match="%2F for /, %40 for @, %3F for \\?, %23 for #") as told:
            await open_it(url)
        assert "hunter2" not in "".join(traceback.format_exception(told.value))
    assert "hunter2" not in Settings(database_url=url).place


@pytest.mark.parametrize("url", UNESCAPED[:5])
def test_the_files_of_a_url_that_cannot_be_taken_apart_are_not_looked_for(url: str) -> None:
    with pytest.raises(SettingError) as told:
        unusable(url, {})
    assert "hunter2" not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "target_session_attrs=foo",
            "target_session_attrs (or PGTARGETSESSIONATTRS) must be any, primary, standby, ",
        ),
        ("gsslib=foo", "gsslib (or PGGSSLIB) must be gssapi or sspi"),
        (
            "sslmode=require&ssl_min_protocol_version=foo",
            "ssl_min_protocol_version and ssl_max_protocol_version must be",
        ),
        (
            "sslmode=require&ssl_max_protocol_version=SSLv3",
            "ssl_min_protocol_version and ssl_max_protocol_version must",
        ),
        ("sslmode=disable&sslnegotiation=direct", "direct TLS requires sslmode="),
        ("sslmode=foo", "`sslmode` parameter must be one of: disable"),
        ("port=foo", "port must be a number from 0 to 65535"),
        ("port=99999", "port must be a number from 0 to 65535"),
        ("port=1,2,3", "could not match 3 port numbers to 1 hosts"),
        ("foo", "what stands behind its ? must be NAME=VALUE, joined by &"),
    ],
)
async def test_an_option_that_is_wrong_is_named_and_not_what_it_is(options: str, said: str) -> None:
    with pytest.raises(SettingError) as told:
        await open_database(WITH_OPTIONS + options)
    assert str(told.value).startswith(f"TIDINGS_DATABASE_URL cannot be used: {said}")
    assert "hunter" not in "".join(traceback.format_exception(told.value))
    assert "foo" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://shop:%5Bhunter2%5D@127.0.0.1/x",
        "postgresql://shop:hunter2@[::1]:5433/x",
        "postgresql://one,two:5433/shop?user=a@b&password=p@ss",
        "postgresql:///shop?host=/run/postgresql#note",
    ],
)
def test_a_url_that_is_written_as_it_must_be_is_taken(url: str) -> None:
    assert split_url(url) == urlsplit(url)
