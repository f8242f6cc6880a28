"""Waiting a moment for who is on the way, so that one transaction holds more of them."""

from __future__ import annotations

import asyncio

GATHERING_TURNS = 4
"""With two, half of the webhooks that come in come too late, and few of the results of those that go out; with more
than four nothing is left to do while the disk is waited for (decisions 0012, 0029)."""


async def gathered() -> None:
    """Come back after some turns of the event loop, in which those who are on the way come.

    That takes as long as what else is to be done takes, and no time if nothing is.
    """
    for _ in range(GATHERING_TURNS):
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the event loop, no time
