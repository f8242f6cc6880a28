"""The hash of JSON values: the one door to rfc8785, which writes them in the one form of RFC 8785."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from tidings.errors import DeclarationError


def sha256_of(value: Any) -> str:
    """Return the SHA-256, as hex, of a JSON value in the form of RFC 8785 (JSON Canonicalization Scheme).

    DeclarationError for what has none, such as a whole number that a float cannot hold.
    """
    try:
        return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise DeclarationError(f"a schema has no canonical form (RFC 8785): {error}") from error
