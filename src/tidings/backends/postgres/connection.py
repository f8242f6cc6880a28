"""A connection to PostgreSQL whose statements wait for each other, and what it asks of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.protocol import NO_TIMEOUT

if TYPE_CHECKING:
    Plain = asyncpg.Connection[asyncpg.Record]
else:
    Plain = asyncpg.Connection

STATEMENT_SECONDS = 30.0
"""How long a statement may take, unless its call says another `timeout`; then it is cancelled."""
UNBOUNDED = 86_400.0
"""The `timeout` of what may take as long as it takes: building an index, reading a whole log."""
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 10
"""How long a transaction may stand still between two statements: somebody waits for its locks."""

APPLICATION = "tidings"

ON_ITS_OWN: Mapping[str, str] = MappingProxyType(
    {
        "default_transaction_isolation": "read committed",
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        "jit": "off",  # compiling takes longer than any of these statements
        # A client that is gone without a word must not hold its locks, nor a position, until the kernel notices.
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "client_connection_check_interval": "10s",
    }
)
"""What a session is begun with, where nothing stands between: a pooler refuses most of it."""


class Connection(Plain):
    """asyncpg's connection, on which the tasks of one unit may speak at once: they take turns.

    Without the turns asyncpg raises if a handler awaits two statements together.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._turn = asyncio.Lock()
        self.singly: Singly | None = None

    async def execute(self, *given: Any, **named: Any) -> str:
        async with self._turn:
            return await super().execute(*given, **named)

    async def executemany(self, *given: Any, **named: Any) -> None:
        async with self._turn:
            await super().executemany(*given, **named)

    async def fetch(self, *given: Any, **named: Any) -> list[Any]:
        async with self._turn:
            rows: list[Any] = await super().fetch(*given, **named)
            return rows

    async def fetchrow(self, *given: Any, **named: Any) -> Any:
        async with self._turn:
            return await super().fetchrow(*given, **named)

    async def fetchval(self, *given: Any, **named: Any) -> Any:
        async with self._turn:
            return await super().fetchval(*given, **named)

    async def only_value(self, statement: str, *arguments: Any) -> Any:
        """Do what `fetchval` does, for the only one who has this connection: nobody's turn is waited for."""
        return await super().fetchval(statement, *arguments)

    async def prepare_singly(self, statement: str) -> Singly:
        """Prepare a statement by name, which no pooler allows, and keep as `singly` what sends it.

        It is set to None where it has to be prepared anew: the server, or the tables, may have changed.
        """
        self.singly = Singly(self, await self.prepare(statement))
        return self.singly

    async def status(self, statement: str, *arguments: Any) -> str:
        """Run one statement, never more, unlike `execute`; return what the server says of it, as `UPDATE 2`."""
        if arguments:
            return await self.execute(statement, *arguments)
        async with self._turn:
            prepared = await self.prepare(statement, name="")
            await prepared.fetch()
            return str(prepared.get_statusmsg())

    async def copy_to_table(self, *given: Any, **named: Any) -> str:
        """Copy, for as long as a statement may take. ConnectionDoesNotExistError if the connection is lost meanwhile.

        asyncpg bounds no wait for a server that takes nothing in, and has nobody who waits so told of the end.
        """
        async with self._turn:
            protocol: Any = self._protocol  # type: ignore[attr-defined]  # no public name reaches it

            def go_on(_: object) -> None:
                protocol.resume_writing()

            self.add_termination_listener(go_on)
            try:
                async with asyncio.timeout(STATEMENT_SECONDS):
                    return await super().copy_to_table(*given, timeout=UNBOUNDED, **named)
            except Exception as error:
                if isinstance(error, asyncpg.InternalClientError):
                    self.terminate()  # asyncpg leaves it as if this copy were under way for ever
                if self.is_closed() and not isinstance(error, asyncpg.PostgresError):
                    # Writing to what is closed fails as each event loop has it.
                    raise asyncpg.ConnectionDoesNotExistError("the connection was lost") from error
                raise
            finally:
                self.remove_termination_listener(go_on)

    def get_reset_query(self) -> str:
        """Nothing to undo, so giving back costs no round trip: what is taken or set here lasts for a transaction."""
        return ""


class Singly:
    """A prepared statement that returns one value, for the only one who has its connection.

    It sends as asyncpg's `fetchval` does in the end. What lies between is no step of ours, and takes who comes
    to cold caches as long as to send the statement. So the version of asyncpg is bounded.
    """

    __slots__ = ("_prepared", "_send", "_state")

    def __init__(self, connection: Any, prepared: Any) -> None:
        self._prepared = prepared  # without which its state is given up
        self._state = prepared._state
        self._send = connection._protocol.bind_execute

    def rows(self, arguments: Sequence[Any]) -> Awaitable[Sequence[Any]]:
        """Return what it answers. No time limits it: whoever lent the connection hangs up."""
        answer: Awaitable[Sequence[Any]] = self._send(self._state, arguments, "", 1, False, NO_TIMEOUT)
        return answer
