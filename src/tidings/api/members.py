"""The JSON bodies of operators' requests: members that are known, each of its type, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from tidings.api.bodies import Bodies
from tidings.api.headers import header
from tidings.api.problems import Problem, Refusal
from tidings.errors import CallerError, UnsupportedMediaTypeError
from tidings.events.codec import misfit
from tidings.events.media import is_json
from tidings.events.strict import decode_json
from tidings.faces.kept import check_members

BODY_BYTES_MAX = 64 * 1024
MembersT = TypeVar("MembersT", bound=msgspec.Struct)


async def read_members(bodies: Bodies, request: Request, kind: type[MembersT]) -> tuple[bytes, MembersT]:
    """Return the body as it came, and its members; no body is an object without members.

    `unsupported-media-type`; MalformedError; `invalid-configuration` for a member that is unknown, of another type,
    or of text that no store keeps.
    """
    body, value = await _read(bodies, request)
    try:
        return body, msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


async def read_object(bodies: Bodies, request: Request) -> tuple[bytes, dict[str, Any]]:
    """Return the body as it came, and the members of the object that it is, whatever they are; no body has none.

    As `read_members`.
    """
    body, value = await _read(bodies, request)
    if not isinstance(value, dict):
        raise Refusal(
            Problem.INVALID_CONFIGURATION, "the body: expected an object", errors=[("", "expected an object")]
        )
    return body, value


async def _read(bodies: Bodies, request: Request) -> tuple[bytes, Any]:
    body = await bodies.read(request.scope, request.receive, most=BODY_BYTES_MAX)
    media_type = header(request.scope, b"content-type")
    if body and not (media_type and is_json(media_type)):
        raise UnsupportedMediaTypeError("the body is read as JSON: send `content-type: application/json`")
    value = decode_json(body) if body else {}
    check_members(value)
    return body, value


def _invalid(told: str) -> Refusal:
    place, why = misfit(told)
    said = f"{place}: {why}" if place else why
    return Refusal(Problem.INVALID_CONFIGURATION, f"the body: {said[:300]}", errors=[(place, why[:300])])


@contextmanager
def refused_as(problem: Problem, kind: type[CallerError] = CallerError) -> Iterator[None]:
    """Have what an operation refuses as `kind`, and as nothing more precise, be this problem."""
    try:
        yield
    except kind as error:
        if type(error) is not kind:
            raise
        raise Refusal(problem, str(error), errors=error.errors) from None
