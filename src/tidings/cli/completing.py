"""What the shell offers where a name is begun: the names that the database has. The application is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidings.app import Opened
    from tidings.operations.roster import Reader


def consumers(incomplete: str) -> list[str]:
    """Return the consumers whose names begin so."""
    return _begun(incomplete, lambda readers: (reader.name for reader in readers))


def types(incomplete: str) -> list[str]:
    """Return the event types that some consumer reads and that begin so."""
    return _begun(incomplete, lambda readers: (type for reader in readers for type in reader.types or ()))


def views(incomplete: str) -> list[str]:
    """Return the views that have a table and whose names begin so."""
    return _begun(incomplete, lambda readers: (reader.name.partition("@")[0] for reader in readers if reader.is_view))


def services(incomplete: str) -> list[str]:
    """Return the services that have a consumer or a table, and whose names begin so."""
    return _begun(incomplete, lambda readers: (reader.name.partition(".")[0] for reader in readers))


def endpoints(incomplete: str) -> list[str]:
    """Return the endpoints whose ids begin so."""
    from tidings.cli.session import Session

    async def work(opened: Opened) -> list[str]:
        found = await opened.endpoints.list(limit=1_000)
        return [each.id for each in found if each.id.startswith(incomplete)]

    try:
        return Session(loads=False).look(work)
    except Exception:
        return []  # as below


def receivers(incomplete: str) -> list[str]:
    """Return the receivers whose ids begin so: those of the database, and those to which something came lately."""
    from tidings.cli.session import Session

    async def work(opened: Opened) -> list[str]:
        came = {each.receiver for each in await opened.store.receipts(limit=1_000)}
        made = {each.id for each in await opened.store.receivers()}
        return sorted(id for id in came | made if id.startswith(incomplete))

    try:
        return Session(loads=False).look(work)
    except Exception:
        return []  # as below


def presets(incomplete: str) -> list[str]:
    """Return the presets whose names begin so."""
    from tidings.webhooks.receive.presets import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


def _begun(incomplete: str, names: Callable[[Iterable[Reader]], Iterable[str]]) -> list[str]:
    from tidings.cli.session import Session

    async def work(opened: Opened) -> list[str]:
        from tidings.operations.roster import roster

        return sorted({name for name in names(await roster(opened.store, None)) if name.startswith(incomplete)})

    try:
        return Session(loads=False).look(work)
    except Exception:
        return []  # whoever presses a key to be offered names does not want to be told why there are none
