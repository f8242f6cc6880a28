from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys

import aiohttp
import pytest
from tests.unit.api.shop import shop

from tidings import Settings
from tidings.api.connection import CONNECTIONS_MAX
from tidings.api.listening import OTHER_FILES
from tidings.api.serve import Server, serve
from tidings.errors import OperatorError, RefusedError, SettingError
from tidings.ports import Ports

MEMORY = "sqlite:///:memory:"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com"])
async def test_a_host_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(SettingError, match="no API keys"):
        await serve(shop(), Settings(database_url=MEMORY, host=host, port=0), Ports())


async def test_a_port_that_is_taken_is_one_clear_error(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, caplog.at_level(logging.DEBUG):
        port = other.getsockname()[1]
        with pytest.raises(OperatorError, match=rf"cannot listen on 127\.0\.0\.1 port {port}.*choose another port"):
            await serve(shop(), Settings(database_url=MEMORY, port=port), Ports())
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING]


async def test_an_app_that_does_not_open_is_told_as_it_is() -> None:
    app = shop()
    settings = Settings(database_url=MEMORY, port=0)
    async with app.open(settings, consume=False):
        with pytest.raises(RefusedError, match="open already"):
            await serve(app, settings, Ports())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_it_tells_its_address_serves_and_stops(host: str) -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = Server(shop(), Settings(database_url=MEMORY, host=host, port=0), Ports(), ready.set_result)
    running = asyncio.create_task(server.run())
    url = await ready
    assert url.startswith(f"http://[{host}]:" if ":" in host else f"http://{host}:")
    async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as answer:
        assert answer.status == 200
        assert "server" not in answer.headers
    server.stop()
    server.stop()
    assert await running == 0


async def test_a_stop_before_it_is_ready_is_not_forgotten() -> None:
    told: list[str] = []
    server = Server(shop(), Settings(database_url=MEMORY, port=0), Ports(), told.append)
    server.stop()
    assert await server.run() == 0


async def test_whoever_cancels_it_gets_its_resources_back() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    app = shop()
    running = asyncio.create_task(Server(app, Settings(database_url=MEMORY, port=0), Ports(), ready.set_result).run())
    await ready
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(RefusedError):
        _ = app.opened


@pytest.mark.parametrize(("soft", "hard", "room"), [(300, None, CONNECTIONS_MAX), (300, 500, 500 - OTHER_FILES)])
def test_as_many_file_descriptors_are_asked_for_as_there_may_be_connections(
    soft: int, hard: int | None, room: int
) -> None:
    told = (
        "import resource\n"
        "from tidings.api.listening import connections_max\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard or CONNECTIONS_MAX + OTHER_FILES}))\n"
        "print(connections_max())\n"
    )
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True, text=True)
    assert int(found.stdout) == room
