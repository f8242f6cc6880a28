"""Running a measure's part in a fresh process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

_ROOT = Path(__file__).parent.parent


async def in_own_process(*arguments: str) -> dict[str, float]:
    """Run `benchmarks.child` with these arguments; return what it printed. RuntimeError if it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.child", *arguments, cwd=_ROOT, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"benchmarks.child {' '.join(arguments)} ended with {process.returncode}")
    return msgspec.json.decode(printed, type=dict[str, float])
