"""Who is known to be dead, and who is not."""

from __future__ import annotations

from pathlib import Path

from tidings.ports import is_gone, this_process

NAMESPACE = Path("/proc/self/ns/pid")


def test_a_process_that_runs_is_not_gone_and_one_that_never_ran_is() -> None:
    boot, pid, start = this_process().split(":")
    assert not is_gone(this_process())
    assert is_gone(f"{boot}:{pid}:{start}0")
    assert not is_gone("somebody")


def test_of_a_process_in_another_container_nobody_can_tell() -> None:
    boot = this_process().partition(":")[0]
    assert not NAMESPACE.exists() or boot.endswith(f".{NAMESPACE.stat().st_ino}")
    assert not is_gone(f"{boot}0:1:1")
