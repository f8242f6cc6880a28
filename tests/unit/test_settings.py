from __future__ import annotations

import pytest

from tidings.errors import SettingError
from tidings.settings import Settings, load, without_secrets


def test_nothing_set_gives_the_defaults() -> None:
    assert load({}) == Settings()
    assert Settings().database_url == "sqlite:///tidings.db"
    assert Settings().shutdown_grace == 25.0


def test_the_environment_wins_over_the_file() -> None:
    found = load({"TIDINGS_PORT": "9000"}, 'port = 9001\nhost = "0.0.0.0"\n')
    assert (found.port, found.host) == (9000, "0.0.0.0")


def test_variables_of_others_and_empty_ones_are_left_alone() -> None:
    assert load({"PATH": "/bin", "TIDINGSX": "1", "TIDINGS_APP": ""}) == Settings()


def test_texts_become_what_the_setting_is() -> None:
    found = load({"TIDINGS_SHUTDOWN_GRACE": "2.5", "TIDINGS_DATA_BYTES_MAX": "65536", "TIDINGS_APP": "chirp.app:app"})
    assert (found.shutdown_grace, found.data_bytes_max, found.app) == (2.5, 65_536, "chirp.app:app")


def test_services_are_named_one_after_the_other() -> None:
    assert load({}).carried is None
    assert load({"TIDINGS_SERVICES": "orders,users"}).carried == ("orders", "users")


def test_an_unknown_variable_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingError, match=r"no setting TIDINGS_DATABSE_URL: did you mean TIDINGS_DATABASE_URL\?"):
        load({"TIDINGS_DATABSE_URL": "sqlite:///x.db"})


def test_an_unknown_name_in_the_file_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingError, match=r"no setting hots: did you mean host\?"):
        load({}, 'hots = "x"')


@pytest.mark.parametrize("name", ["BOGUS", "METRICS", "DB", "RATE"])
def test_of_a_setting_that_is_far_from_all_none_is_suggested_but_where_they_are_listed(name: str) -> None:
    with pytest.raises(SettingError) as refused:
        load({f"TIDINGS_{name}": "1"})
    listed = "take it out, and `tidings config show` lists those there are"
    assert str(refused.value) == f"there is no setting TIDINGS_{name}: {listed}"


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PORT", "http", "a whole number from 0 to 65,535, not 'http'"),
        ("PORT", "65536", "a whole number from 0 to 65,535"),
        ("SHUTDOWN_GRACE", "soon", "a number from 0 to 3,600, not 'soon'"),
        ("SHUTDOWN_GRACE", "nan", "a number from 0"),
        ("DATA_BYTES_MAX", "1", "from 65,536 to 1,048,576"),
        ("SQLITE_SYNCHRONOUS", "off", '"full" or "normal"'),
        ("SERVICES", "orders, users", "names of services joined by commas, such as orders,users"),
        ("APP", "chirp", "MODULE:ATTRIBUTE, such as chirp:app"),
        ("DATABASE_URL", "tidings.db", "sqlite:///FILE"),
        ("DATABASE_URL", "sqlite://", "sqlite:///FILE"),
        ("DATABASE_URL", "sqlite:///x.db?mode=ro", "sqlite:///FILE"),
        ("DATABASE_URL", "postgresql://", "postgresql://USER:PASSWORD@HOST/DATABASE"),
        ("DATABASE_URL", "postgresql+asyncpg://host/db", "without the +asyncpg that other libraries want"),
        ("POSTGRES_CONNECTIONS", "1", "a whole number from 2 to 1,000"),
        ("LOG_URL", "nats://host", "this release keeps the log in the database only"),
        ("LOG_URL", "sqlite:///log.db", "this release keeps the log in the database only"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_variable(variable: str, value: str, told: str) -> None:
    with pytest.raises(SettingError) as caught:
        load({f"TIDINGS_{variable}": value})
    assert f"TIDINGS_{variable}" in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["port = true", "port = [1]", "shutdown_grace = true", "host = 1", "host ="])
def test_a_value_of_another_type_in_the_file_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        load({}, text)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///tidings.db", "tidings.db"),
        ("sqlite:////var/lib/tidings.db", "/var/lib/tidings.db"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_the_url_names_the_file(url: str, path: str) -> None:
    assert Settings(database_url=url).sqlite_path == path


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://ann:s3cret@db.example:5433/shop", "postgresql://db.example:5433/shop"),
        ("postgresql://ann:s3cret@db.example/shop?password=s3cret&sslmode=require", "postgresql://db.example/shop"),
        ("postgresql://ann:s3cret@one,two:5433/shop", "postgresql://one,two:5433/shop"),
        ("postgresql://ann:s3/cr@e?t@db.example/shop", "postgresql://db.example/shop"),
        ("postgresql://ann:s3cret", "postgresql://ann"),
        ("postgresql://ann:s3cret/shop", "postgresql://ann/shop"),
        ("postgresql://ann:[s3cret]/shop", "postgresql://ann/shop"),
        ("postgresql://ann:s3]cret/shop", "postgresql://ann/shop"),
        ("postgresql://ann:s3\n/cret@db.example/shop", "postgresql://db.example/shop"),
        ("postgresql:///shop?host=/run/postgresql", "postgresql:///shop"),
        ("postgresql://[fe80::1%25eth0],[::2]:5433/shop", "postgresql://[fe80::1%25eth0],[::2]:5433/shop"),
        ("sqlite:////var/lib/a@b?c.db", "sqlite:////var/lib/a@b?c.db"),
        ("postgresql://[::1]:5433/shop", "postgresql://[::1]:5433/shop"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, place: str) -> None:
    assert without_secrets(url) == place


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_url_names_the_engine_and_the_place_without_a_secret(scheme: str) -> None:
    settings = Settings(database_url=f"{scheme}://ann:s3cret@db.example:5433/shop?sslmode=require")
    assert settings.engine == "postgresql"
    assert settings.place == settings.shown("database_url") == f"{scheme}://db.example:5433/shop"
    assert "s3cret" not in repr(settings)
    assert (Settings().engine, Settings().place) == ("sqlite", "tidings.db")


def test_settings_show_no_secret_wherever_they_are_shown() -> None:
    with pytest.raises(SettingError) as caught:
        load({"TIDINGS_DATABASE_URL": "mysql://ann:s3cret@db/shop"})
    assert "mysql://db/shop" in str(caught.value)
    with pytest.raises(SettingError) as also:
        load({"TIDINGS_LOG_URL": "nats://ann:s3cret@host"})
    assert "s3cret" not in f"{caught.value}{also.value}"
    assert repr(Settings()).startswith("Settings(database_url='sqlite:///tidings.db', log_url=None, app=None, ")
