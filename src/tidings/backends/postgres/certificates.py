"""The files of TLS that the driver reads before it connects: where one cannot be used, it does not say which."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

OF_FILES = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, ssl.SSLError)
"""What the driver raises for one of them, though other things may, too."""


def unusable(url: str, environ: Mapping[str, str]) -> str | None:
    """Return what is wrong with the first file that is named and cannot be used; None if there is none.

    `environ`: where the driver looks for what the URL does not say.
    """
    said = dict(parse_qsl(urlsplit(url).query))
    for name in ("sslrootcert", "sslcrl", "sslcert", "sslkey"):
        variable = f"PG{name.upper()}"
        file, where = (said[name], f"{name}= in the URL") if name in said else (environ.get(variable), variable)
        wrong = _wrong(file, is_trusted=name in ("sslrootcert", "sslcrl")) if file else None
        if wrong is not None:
            return f"{file} {wrong} ({where})"
    return None


def _wrong(file: str, *, is_trusted: bool) -> str | None:
    """`is_trusted`: whether servers are judged by it; else it takes a key to say more than that it can be read."""
    try:
        if is_trusted:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
        else:
            Path(file).read_bytes()
    except FileNotFoundError:
        return "is not there"
    except ssl.SSLError:
        return "holds no certificate in PEM form"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None
