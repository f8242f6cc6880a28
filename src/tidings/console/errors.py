"""How a request to the console can fail, and what whoever looks at it is told.

As over the API: 400 for an address that cannot be read, 422 for a field of a form, 409 for what the state forbids.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException

from tidings import errors
from tidings.wording import absent

_TITLES: Mapping[int, str] = MappingProxyType(
    {
        400: "This cannot be read",
        401: "Not from here",
        404: "There is no such page",
        408: "This did not come in time",
        503: "Not now",
        500: "The server made a mistake",
    }
)


class ForbiddenError(errors.TidingsError):
    """A change that did not come from a page of this console."""


class ElsewhereError(errors.TidingsError):
    """A request that the server answers nobody but this machine; the message says what told it apart."""


class TooLargeError(errors.TidingsError):
    """A form of more bytes than any of ours has."""


class StrangerError(errors.TidingsError):
    """A request of a browser that has shown no key, where there are keys."""


_STATUS: Mapping[type[Exception], int] = MappingProxyType(
    {
        ForbiddenError: 403,
        ElsewhereError: 401,
        StrangerError: 401,
        TooLargeError: 413,
        errors.MalformedError: 400,
        errors.SlowBodyError: 408,
        errors.NotFoundError: 404,
        errors.RefusedError: 409,
        errors.LogUnavailableError: 503,
        errors.StoreUnavailableError: 503,
        errors.CallerError: 422,
    }
)


def told(error: Exception, method: str, path: str) -> tuple[int, str, str]:
    """Return the status, the title and the sentence for an error of such a request; 500 for what nobody foresaw."""
    status, sentence = _told(error, path)
    return status, _TITLES.get(status, "This was not done" if method == "POST" else "This cannot be shown"), sentence


def _told(error: Exception, path: str) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        if error.status_code == 405:
            return 405, f"{path[:200]} does not take this method: go back and use the page's own buttons."
        return 404, _sentence(absent("page", path, hint="its links lead to those there are"))
    for cls in type(error).__mro__:
        if cls in _STATUS:
            return _STATUS[cls], _sentence(str(error))
    return 500, "The server's log has the reason. Loading the page again does no harm."


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
