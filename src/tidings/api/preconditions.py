"""Changes of configuration: whoever makes one says which version they have seen (RFC 9110 sections 13.1.1, 13.1.2)."""

from __future__ import annotations

import re

from tidings.api.answer import Header, Scope
from tidings.api.headers import header
from tidings.api.problems import Problem, Refusal
from tidings.errors import MalformedError

_ETAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_ETAGS = re.compile(rf"{_ETAG}(?:[ \t]*,[ \t]*{_ETAG})*")


def etag_of(created: int, version: int) -> str:
    """Return the strong ETag of the configuration that something made at this time has at this version."""
    return f'"{created:x}.{version}"'


def etag_header(etag: str) -> Header:
    return (b"etag", etag.encode("ascii"))


def check_seen(scope: Scope, etag: str, *, what: str) -> None:
    """Refuse a change by who does not say, in `If-Match`, that they have seen this version.

    `precondition-required`; `precondition-failed`; MalformedError. `*` is whatever version there is.
    """
    given = header(scope, b"if-match")
    if given is None:
        why = f"send the ETag of {what} that you have read as If-Match, or `If-Match: *` to overwrite any"
        raise Refusal(Problem.PRECONDITION_REQUIRED, why)
    if given == "*":
        return
    if not _ETAGS.fullmatch(given):
        raise MalformedError(f"If-Match: {given[:80]!r} is no ETag: send the one that you were answered, in its quotes")
    if etag not in (each.strip() for each in given.split(",")):
        raise Refusal(Problem.PRECONDITION_FAILED, f"{what} was changed since you read it: read it again")


def check_put(scope: Scope, etag: str | None, *, what: str, name: str) -> None:
    """Refuse to change what is not there (`etag` None), to make what is, and else as `check_seen` does."""
    if etag is None:
        if header(scope, b"if-match") is not None:
            raise Refusal(Problem.PRECONDITION_FAILED, f"there is no {what} {name[:100]!r}: leave If-Match out")
        return
    if header(scope, b"if-none-match") == "*":
        article = "an" if what[0] in "aeiou" else "a"
        raise Refusal(Problem.PRECONDITION_FAILED, f"If-None-Match: *, but there is {article} {what} {name[:100]!r}")
    check_seen(scope, etag, what=f"the {what}")
