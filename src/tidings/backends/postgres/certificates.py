"""The files of TLS that the driver reads before it connects: where one cannot be used, it does not say which."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from tidings.backends.postgres.urls import split_url

OF_FILES = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, ssl.SSLError)
"""What the driver raises for one of them, though other things may, too."""


def unusable(url: str, environ: Mapping[str, str]) -> str | None:
    """Return what is wrong with the first file that is named and cannot be used; None if there is none.

    `environ`: where the driver looks for what the URL does not say. SettingError if the URL cannot be taken apart.
    """
    said = dict(parse_qsl(split_url(url).query))
    certificate: str | None = None
    for name in ("sslrootcert", "sslcrl", "sslcert", "sslkey"):
        variable = f"PG{name.upper()}"
        file, where = (said[name], f"{name}= in the URL") if name in said else (environ.get(variable), variable)
        if not file:
            continue
        wrong = _wrong_key(file, certificate, said.get("sslpassword", "")) if name == "sslkey" else _wrong(file)
        if wrong is not None:
            return f"{file} {wrong} ({where})"
        certificate = file if name == "sslcert" else None
    return None


def _wrong(file: str) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except ssl.SSLError:
        return "holds no certificate in PEM form"
    except OSError as error:
        return _unread(error)
    return None


def _wrong_key(file: str, certificate: str | None, password: str) -> str | None:
    """`certificate`: a file that holds one; None where the driver takes its usual one, so that the key is only read."""
    try:
        Path(file).read_bytes()
        if certificate is not None:
            # A password that is given, also an empty one, keeps OpenSSL from asking on the terminal.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, file, lambda: password)
    except ssl.SSLError:
        return f"holds no key of {certificate}, or one that sslpassword does not open"
    except OSError as error:
        return _unread(error)
    return None


def _unread(error: OSError) -> str:
    return "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
