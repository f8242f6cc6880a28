"""One measured server, in a process of its own: `python -m benchmarks.serving SIDE URL` prints its port.

Ours is served as `tidings run` does, all others by the same uvicorn with the same settings: one process, uvloop,
httptools, no access log.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
from collections.abc import Callable, Mapping

import uvicorn
import uvloop

from tidings import App, Service
from tidings.api.listening import BACKLOG, KEEP_ALIVE_SECONDS
from tidings.api.serve import run
from tidings.ports import Ports
from tidings.settings import Settings

MADE_BY: Mapping[str, str] = {
    "answers": "benchmarks.bare_http:only_answers",
    "bare": "benchmarks.bare_http:group_commit",
    "fastapi_sqlalchemy": "benchmarks.peers.fastapi_sqlalchemy:application",
    "fastapi_sql": "benchmarks.peers.fastapi_sql:application",
}
"""Where each side's application is made, given the database's URL. The others are ours."""


def main(side: str, url: str) -> None:
    if side == "ours":
        from benchmarks.events import TweetBookmarked

        _serve_ours(App(Service("bookmarks", emits=[TweetBookmarked])), url)
    elif side == "ours_with_view":
        from benchmarks.events import bookmarks

        _serve_ours(App(bookmarks), url)
    elif side == "receiving":
        from benchmarks.events import receiving

        _serve_ours(receiving(), url)
    else:
        module, _, name = MADE_BY[side].partition(":")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(getattr(importlib.import_module(module), name)(url)))


def _serve_ours(app: App, url: str) -> None:
    settings = Settings(database_url=url, port=0)
    run(app, settings, Ports(), lambda served: print(served.rpartition(":")[2], flush=True))


async def _serve(application: Callable[..., object]) -> None:
    config = uvicorn.Config(
        application,  # type: ignore[arg-type]
        http="httptools",
        ws="none",
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    await _Told(config, listening.getsockname()[1]).serve(sockets=[listening])


class _Told(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, port: int) -> None:
        super().__init__(config)
        self._port = port

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._port, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
