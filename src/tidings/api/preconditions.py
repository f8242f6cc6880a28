"""Changes of configuration: whoever makes one says which version they have seen (RFC 9110 sections 13.1.1, 13.1.2)."""

from __future__ import annotations

from tidings.api.answer import Header, Scope
from tidings.api.headers import header
from tidings.api.problems import Problem, Refusal


def etag_of(created: int, version: int) -> str:
    """Return the strong ETag of the configuration that something made at this time has at this version."""
    return f'"{created:x}.{version}"'


def etag_header(etag: str) -> Header:
    return (b"etag", etag.encode("ascii"))


def check_seen(scope: Scope, etag: str, *, what: str) -> None:
    """Refuse a change by who does not say, in `If-Match`, that they have seen this version.

    `precondition-required`; `precondition-failed`. `*` is whatever version there is.
    """
    given = header(scope, b"if-match")
    if given is None:
        why = f"send the ETag of {what} that you have read as If-Match, or `If-Match: *` to overwrite any"
        raise Refusal(Problem.PRECONDITION_REQUIRED, why)
    if given != "*" and etag not in (each.strip() for each in given.split(",")):
        raise Refusal(Problem.PRECONDITION_FAILED, f"{what} was changed since you read it: read it again")


def wants_new(scope: Scope) -> bool:
    """Say whether the caller wants to make something that is not there: `If-None-Match: *`."""
    return header(scope, b"if-none-match") == "*"
