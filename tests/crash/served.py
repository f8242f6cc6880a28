"""The shop for `tidings run tests.crash.served:app`: it notes its calls in the folder that it is started in."""

from __future__ import annotations

from pathlib import Path

from tests.crash import shop, stacks

app = shop.make(Path.cwd())
stacks.tell_when_asked()
