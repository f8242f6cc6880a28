"""What a request is judged by, and how the judgement reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from tidings.webhooks.receive.keys import Key

Headers = tuple[tuple[bytes, bytes], ...]
"""Names and values of headers as they were received, one pair for each."""

Reason = Literal[
    "missing-header",
    "repeated-header",
    "malformed-header",
    "malformed-timestamp",
    "too-old",
    "too-new",
    "no-active-key",
    "no-matching-signature",
    "unsupported-scheme",
    "body-field-missing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What is known of a request beside its headers and body.

    `query`: after the `?`, as received. `public_url`: where the provider sends to, as the receiver is configured,
    without the query. `settings`: texts that the receiver is configured with, such as `webhook_id`.
    """

    method: str = "POST"
    query: bytes = b""
    public_url: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The request is what its sender signed. `time_us`: the signed time, in microseconds since 1970; None: none.

    `scheme`: which of the given schemes it was, from 0. `key`: the key that it was signed with; None where `unsigned`.
    """

    scheme: int
    key: Key | None
    time_us: int | None


class Rejected(msgspec.Struct, frozen=True):
    """It is not. The reason is for metrics; who sent it is never told."""

    reason: Reason
