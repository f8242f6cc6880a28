"""What is wrong with bytes that are no request: what the parser tells of them, and what to send instead."""

from __future__ import annotations

import re

import httptools

from tidings.api.answer import Header
from tidings.api.problems import Problem, Refusal

HEAD_BYTES_MAX = 65_536  # 16 KiB of attributes, each byte percent-encoded, and room for the rest
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}) [^ \r\n]+ HTTP/1\.[01]\r?\n")
_TLS = b"\x16\x03"
_REASONS = (
    (r"PRI/Upgrade", "this is HTTP/2: send HTTP/1.1"),
    (r"[Mm]ethod", "the request line is malformed: it begins with a method in capitals, as in `GET /views HTTP/1.1`"),
    (
        r"\burl\b",
        "the target in the request line is malformed: it begins with /, and all but ASCII is written as %XX",
    ),
    (r"version|Expected HTTP/", "the request line is malformed: it ends in HTTP/1.1 and a line end (CR LF)"),
    (r"[Cc]hunk", "a chunk of the body is malformed: its size in hexadecimal, CR LF, as many bytes, CR LF"),
    (r"Content-Length", "the length of the body is unclear: send one Content-Length, a number, or chunks"),
    (r"Transfer-Encoding", "the coding of the body is unclear: send `Transfer-Encoding: chunked`, or a Content-Length"),
    (r"space", "a header line begins with a space: send each header on one line"),
    (r"header value", "a header's value has a control character in it, or its line does not end in CR LF"),
    (
        r"header token|header field",
        "a header's name is malformed: it has letters, digits and dashes, then a colon",
    ),
)
"""What the parser's words mean to whoever sent this; the first that fits."""


def refusal_of(data: bytes, error: Exception) -> Refusal:
    """Return the refusal of bytes in which the parser came upon an error."""
    line = _REQUEST_LINE.match(data)
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        if line and line[1].decode() not in METHODS:
            return unknown_method(line[1])
        if data.startswith(_TLS):
            return _malformed("this is TLS, and the server speaks plain HTTP here: ask for http://, not https://")
    said = str(error)
    means = next((means for found, means in _REASONS if re.search(found, said)), "this is no HTTP/1.1 request")
    return _malformed(f"{means} (the parser says: {said[:100]})")


def head_too_large() -> Refusal:
    """Return the refusal of a head, or of anything else that is not a body's own bytes, that is too long."""
    why = "the request line and headers, or what stands between the chunks of the body, are too large"
    return _malformed(f"{why}: at most {HEAD_BYTES_MAX:,} bytes")


def unknown_method(method: bytes) -> Refusal:
    """Return the refusal of a method that nothing here has."""
    allowed = ", ".join(METHODS)
    header: Header = (b"allow", allowed.encode())
    detail = f"{method.decode()} is no method of anything here; there is {allowed}"
    return Refusal(Problem.METHOD_NOT_ALLOWED, detail, header)


def _malformed(detail: str) -> Refusal:
    return Refusal(Problem.MALFORMED_REQUEST, detail)
