"""What every command begins with: its settings, the application if it needs one, and an open database."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tidings.cli.loading import load_app, load_app_to_judge
from tidings.errors import SettingError

if TYPE_CHECKING:
    from tidings.app import App, Opened
    from tidings.faces.tokens import Tokens
    from tidings.services.service import Service
    from tidings.settings import Settings

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
AppName = Annotated[
    str | None,
    typer.Option("--app", metavar="MODULE:ATTRIBUTE", help="The application; else TIDINGS_APP or tidings.toml say it."),
]
WHO = "cli"
"""What the audit calls whoever uses the command line."""
LAST = 2**63 - 1
"""No entry stands higher."""


class Session:
    """The settings, and the application that they or the command line name. SettingError; DeclarationError.

    `loads`: False to leave the application alone, whatever names it. `judges`: whether the versions of its events are
    what is asked about, so that nothing that is wrong with them keeps it from being loaded.
    """

    def __init__(self, app: str | None = None, *, loads: bool = True, judges: bool = False) -> None:
        self.settings = read_settings(app=app)
        load = load_app_to_judge if judges else load_app
        self._app = load(self.settings.app) if loads and self.settings.app is not None else None

    @property
    def app(self) -> App:
        """The application; SettingError if none is named."""
        if self._app is None:
            raise SettingError("which application? Give --app MODULE:ATTRIBUTE, or set TIDINGS_APP")
        return self._app

    @property
    def services(self) -> Sequence[Service] | None:
        """The services of the application at hand; None if there is none."""
        return None if self._app is None else tuple(self._app.services.values())

    def look(self, work: Callable[[Opened], Awaitable[T]], *, makes: bool = False) -> T:
        """Run `work` on the database as it is: no view's table is made, nothing is carried.

        `makes`: whether the database is made if it is not there; else SettingError.
        """
        from tidings.app import App

        self._check_there(makes=makes)
        return _run(App(), self.settings, work)

    def act(self, work: Callable[[Opened], Awaitable[T]], *, makes: bool = False, prepares: bool = True) -> T:
        """Run `work` on the application over its database; nothing is carried.

        `makes`: whether the database is made if it is not there; else SettingError. `prepares`: whether views get their
        tables first.
        """
        if not makes:
            self._check_there()
        return _run(self.app, self.settings, work, prepares=prepares)

    def has_database(self) -> bool:
        """Say whether there is a database with a log in it, which other processes see too."""
        import asyncio

        from tidings.app import holds_log
        from tidings.settings import IN_MEMORY

        return self.settings.place != IN_MEMORY and asyncio.run(holds_log(self.settings))

    def with_receivers(self, work: Callable[[Opened], Awaitable[T]], *, makes: bool = False) -> T:
        """As `look`, with the receivers of the application, if one is named."""
        if self._app is None:
            return self.look(work, makes=makes)
        return self.act(work, makes=makes, prepares=False)

    def at_rest(self, work: Callable[[Settings], Awaitable[T]]) -> T:
        """Run `work` on the database, which is there and which it opens itself."""
        import asyncio

        self._check_there()

        async def worked() -> T:
            return await work(self.settings)

        return asyncio.run(worked())

    def _check_there(self, *, makes: bool = False) -> None:
        import asyncio

        from tidings.app import holds_log

        place = _shared(self.settings).place
        if not makes and not asyncio.run(holds_log(self.settings)):
            raise SettingError(
                f"there is no database {place} with a log in it: `tidings run` or `tidings migrate apply` makes it, or "
                "set TIDINGS_DATABASE_URL to another one"
            )


async def tokens_of(opened: Opened) -> Tokens:
    """Return what writes and reads the position tokens of this log."""
    from tidings.faces.tokens import Tokens

    return Tokens((await opened.log.head()).incarnation)


def read_settings(**given: str | int | None) -> Settings:
    """Return the settings of the environment over `tidings.toml`, and over both what the command line says."""
    from tidings import settings as setting

    said = {setting.PREFIX + name.upper(): str(value) for name, value in given.items() if value is not None}
    return setting.load({**os.environ, **said}, setting.read_toml())


def read_shared_settings() -> Settings:
    """Return the settings; SettingError if their database is one that only its own process can see."""
    return _shared(read_settings())


def _shared(settings: Settings) -> Settings:
    from tidings.settings import IN_MEMORY

    if settings.place == IN_MEMORY:
        raise SettingError("TIDINGS_DATABASE_URL names a database in memory, which only its own process can see")
    return settings


def _run(app: App, settings: Settings, work: Callable[[Opened], Awaitable[T]], *, prepares: bool = True) -> T:
    import asyncio

    from tidings.app import open_services
    from tidings.ports import Ports

    async def opened() -> T:
        if prepares:
            async with app.open(settings, consume=False) as open_app:
                return await work(open_app)
        async with open_services(app.declared, settings, Ports(), consume=False, prepares=False) as as_it_is:
            return await work(as_it_is)

    return asyncio.run(opened())
