"""What back ends say about themselves, as the table in `docs/guarantees.md`: `python -m tests.promises.facts`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from tidings.backends.sqlite import open_sqlite
from tidings.backends.sqlite.connecting import Synchronous
from tidings.log.driver import Facts
from tidings.ports import Ports


async def facts_of(path: str, synchronous: Synchronous) -> Mapping[str, object]:
    opened = open_sqlite(path, Ports(), synchronous=synchronous)
    log, store = opened.log.facts, opened.store.facts
    await opened.close()
    found = {f"log: {field.name}": getattr(log, field.name) for field in fields(Facts) if field.name != "name"}
    return found | {"store: partitions": store.partitions}


def shown(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "for ever"}[value]
    return f"{value:,}" if isinstance(value, int) else str(value)


async def table() -> str:
    """Return the table, a line for each fact."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "facts.db")
        columns = [
            await facts_of(file, "full"),
            await facts_of(file, "normal"),
            await facts_of(":memory:", "full"),
        ]
    lines = ["| | file, full | file, normal | memory |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {' | '.join(shown(column[name]) for column in columns)} |" for name in columns[0]]
    return "\n".join(lines)


if __name__ == "__main__":
    print(asyncio.run(table()))
