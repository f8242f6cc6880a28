"""Where one run keeps its database: in a file of its own folder, or on a PostgreSQL server that somebody names."""

from __future__ import annotations

from pathlib import Path

from tidings.errors import SettingError
from tidings.settings import Settings, without_secrets


class Ground:
    """A database that nobody else uses. `place`: where it is, in words for people; `engine`: what runs it."""

    def __init__(self, folder: Path, server: str | None = None) -> None:
        self._server = server
        self._name = folder.name.replace("-", "_")
        if server is None:
            self.url = f"sqlite:///{folder / 'chirp.db'}"
            self.engine, self.place = "SQLite", str(folder)
            return
        if Settings(database_url=server).engine != "postgresql":
            raise SettingError("--database wants the URL of a PostgreSQL server: without it the demo runs on SQLite")
        from tidings.backends.postgres.beside import beside

        self.url = beside(server, self._name)
        self.engine, self.place = "PostgreSQL", without_secrets(self.url)

    async def make(self) -> None:
        """Make the database, if it does not come about by itself. SettingError, SchemaError, StoreUnavailableError."""
        if self._server is not None:
            from tidings.backends.postgres.beside import make_database

            await make_database(self._server, self._name)

    async def remove(self) -> None:
        """Remove what is not in the run's folder."""
        if self._server is not None:
            from tidings.backends.postgres.beside import drop_database

            await drop_database(self._server, self._name)
