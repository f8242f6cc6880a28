"""A process that appends when it is told to: run with the path of a database, it takes one line and prints one."""

from __future__ import annotations

import asyncio
import json
import sys

from tidings.backends.sqlite import open_sqlite
from tidings.events.envelope import Envelope
from tidings.log.log import Log
from tidings.ports import Ports

CALLERS = 20
EACH = 25


async def main(path: str) -> None:
    ports = Ports()
    opened = open_sqlite(path, ports)
    log = Log(opened.log, ports)
    print("ready", flush=True)
    sys.stdin.readline()
    answers: dict[str, tuple[str, int]] = {}

    async def call(caller: int) -> None:
        for n in range(EACH):
            id = f"{caller}-{n}"
            receipt = await log.append([Envelope(id=id, source="both", type="test.happened", subject=f"s/{caller}")])
            answers[id] = (receipt.outcome, receipt.positions[0])

    await asyncio.gather(*map(call, range(CALLERS)))
    print(json.dumps(answers), flush=True)
    await opened.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
