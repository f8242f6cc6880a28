"""What became of one attempt to send: an answer, or the reason why there is none."""

from __future__ import annotations

from typing import Literal

import msgspec

FailureKind = Literal[
    "address-refused",  # every address of the host is one that nothing may be sent to
    "url-invalid",
    "secret-unreadable",
    "transform-error",  # a step to the version that the endpoint is pinned to raised
    "version-unreadable",  # this process has no such step
    "not-wanted",  # the pattern was asked once it could be brought to the pin, and takes it not
    "proxy-failed",  # our own
    "lost",  # the process that had claimed it ended, or lost its claim
    "dns",
    "connect",
    "tls",
    "timeout",
    "protocol",  # what came is no HTTP answer, or its head is too long
]


class Excerpt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The beginning of a body. `encoding`: "base64" where the bytes are no text. `truncated`: there was more than is
    here. `size`: bytes that were read, at least."""

    text: str = ""
    encoding: Literal["text", "base64"] = "text"
    truncated: bool = False
    size: int = 0


NOTHING = Excerpt()


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The receiver answered. `headers`: names in lower case, in order, values as far as they are text.

    `address`: what was spoken to, such as `203.0.113.7:443`. `cut`: why the body ended early, which changes nothing.
    `is_private`: it came from an address that is not public, so that nothing of what it says may be shown to whoever
    configured the endpoint. `refused`: addresses of the host that were not dialled. `duration_us`: from the first step
    to the last byte read.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: Excerpt = NOTHING
    cut: FailureKind | None = None
    is_private: bool = False
    address: str | None = None
    refused: tuple[str, ...] = ()
    duration_us: int = 0

    def header(self, name: str) -> str | None:
        """Return the first value of the header of this name, which is given in lower case; None if there is none."""
        for given, value in self.headers:
            if given == name:
                return value
        return None


class Failure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """There is no answer. `error`: one line for people, without secrets. The rest as in `Answer`."""

    kind: FailureKind
    error: str = ""
    address: str | None = None
    refused: tuple[str, ...] = ()
    duration_us: int = 0
