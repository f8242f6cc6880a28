"""What an attempt may take, and what is looked at of its answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long one attempt may take, in seconds, and how much of an answer is looked at, in bytes.

    `kept_s`: how long a connection without a request is kept. Many servers close it after 5 s, and what is sent
    meanwhile would be a failure.
    """

    total_s: float = 20.0
    connect_s: float = 5.0
    head_bytes: int = 16_384
    read_bytes: int = 65_536
    kept_s: int = 4


USUAL = Limits()
