"""A receiver of webhooks that answers 200 at once; what comes to `/hangs`, never.

`python -m benchmarks.sink` prints its port.
"""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Sink(asyncio.Protocol):
    """One connection. It reads no more of a request than where it ends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._left = cast("asyncio.Transport", transport), b""

    def data_received(self, data: bytes) -> None:
        self._left += data
        while (request := self._next()) is not None:
            if not request.startswith(b"POST /hangs"):
                self._transport.write(ANSWER)

    def _next(self) -> bytes | None:
        head, mark, rest = self._left.partition(b"\r\n\r\n")
        if not mark:
            return None
        at = head.lower().index(b"content-length:") + len("content-length:")
        length = int(head[at:].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return None
        self._left = rest[length:]
        return head


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=1_000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
