"""A process that sends webhooks until it is killed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.crash import shop
from tests.crash.telling import tell
from tidings import App, Service, Settings
from tidings.ports import Ports


def settings(folder: Path) -> Settings:
    """Return those of the shop, with which webhooks may be sent to this machine and are tried again soon."""
    return replace(
        shop.settings(folder),
        delivery_http="on",
        delivery_subnets="127.0.0.0/8",
        delivery_delays="0" + ",0.05" * 9,
    )


def make() -> App:
    return App(Service("said"))


async def send(folder: Path, ports: Ports, options: str) -> None:
    """Fan out and send for ever."""
    async with make().open(settings(folder), ports=ports):
        tell("open")
        await asyncio.Event().wait()
