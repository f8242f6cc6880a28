"""Whether an instance may begin to read: not before it accepts all that it may meet. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.store.versions import VersionLease
from tidings.versions.census import Census, versions_told
from tidings.versions.said import said_of


def lacking(census: Census, leases: Sequence[VersionLease]) -> str:
    """Return what stands against admitting a consumer's instance, in one sentence; "" if nothing does.

    It has to accept what is produced, what is on its way to its consumer, and what that may read again.
    """
    for each in leases:
        reach, _ = census.within_reach(each.consumer, each.type, reads_all=said_of(each.details).reads_all)
        missing = {*census.produced(each.type), *reach} - {*each.versions}
        if missing:
            return (
                f"{each.consumer} is held: it accepts {each.type} {versions_told(each.versions)}, and may meet "
                f"{versions_told(missing)}: run a release that has a class for it, or steps that lead to one"
            )
    return ""
