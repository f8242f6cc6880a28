"""Waiting a moment for who is on the way, so that one transaction holds more of them."""

from __future__ import annotations

import asyncio

GATHERING_TURNS = 4
"""With fewer, about half of those who are on the way come too late; more leave nothing to do while the disk is waited
for."""


async def gathered() -> None:
    """Come back after some turns of the event loop, in which those who are on the way come: no time if nobody is."""
    for _ in range(GATHERING_TURNS):
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the event loop, no time
