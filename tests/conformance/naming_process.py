"""A process that says what it is called, and is gone."""

from __future__ import annotations

from tidings.ports import this_process

if __name__ == "__main__":
    print(this_process())
