"""What an answer calls an instance and a time."""

from __future__ import annotations

import hashlib

from tidings.events.timestamp import time_text
from tidings.store.versions import VersionLease


def name_of(lease: VersionLease) -> str:
    """Return a short name of an instance."""
    return f"{lease.service or lease.consumer or 'outside'}-{hashlib.sha256(lease.instance.encode()).hexdigest()[:3]}"


def second_of(time: int) -> str:
    """Return a time to the second, with a Z."""
    return f"{time_text(time)[:19]}Z"
