"""Which failure an exception of the HTTP client is. The texts are ours: its own may hold a URL with a secret in it."""

from __future__ import annotations

import os
import ssl

import aiohttp

from tidings.webhooks.deliver.answer import Failure, FailureKind
from tidings.webhooks.deliver.guard import AddressRefused, Dialled

ERROR_CHARACTERS = 500
_FORBIDDEN = 403
_TARGET_UNREACHABLE = (502, 503, 504)


def failure_of(error: Exception, dialled: Dialled, *, duration_us: int) -> Failure:
    """Return the failure that this exception of an attempt means."""
    kind, why = _told(error, dialled)
    return Failure(
        kind=kind,
        error=" ".join(why.split())[:ERROR_CHARACTERS],
        address=dialled.reached[-1] if dialled.reached else None,
        refused=tuple(sorted(dialled.refused)),
        duration_us=duration_us,
    )


def _told(error: Exception, dialled: Dialled) -> tuple[FailureKind, str]:
    match error:
        case aiohttp.ClientProxyConnectionError():
            return "proxy-failed", f"the proxy cannot be reached: {_system(error)}"
        case aiohttp.ClientHttpProxyError():
            return _of_proxy(error.status)
        case aiohttp.ConnectionTimeoutError():
            return "timeout", "no connection in time"
        case TimeoutError():
            return "timeout", "no answer in time"
        case aiohttp.ClientConnectorDNSError():
            return "dns", f"the name of the host leads nowhere: {_system(error)}"
        case aiohttp.ClientConnectorCertificateError():
            return "tls", f"the certificate is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "tls", f"no TLS connection: {_system(error)}"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | UnicodeError():
            return "url-invalid", "this is no URL that can be sent to"
        case aiohttp.ClientConnectorError():
            return _of_connecting(error, dialled)
        case aiohttp.ClientResponseError():
            return "protocol", f"what came is no answer of HTTP: {error.message}"
        case aiohttp.ClientError() | OSError():
            return "protocol", "the connection ended before the answer"
        case _:
            return "protocol", f"no answer that can be read ({type(error).__name__})"


def _of_connecting(error: aiohttp.ClientConnectorError, dialled: Dialled) -> tuple[FailureKind, str]:
    if dialled.is_refused:
        return "address-refused", str(AddressRefused())
    return "connect", f"no connection: {_system(error)}"


def _of_proxy(status: int) -> tuple[FailureKind, str]:
    """Say whose fault it is that the proxy opened no tunnel."""
    if status == _FORBIDDEN:
        return "address-refused", "the proxy refuses this address"
    if status in _TARGET_UNREACHABLE:
        return "connect", f"the proxy cannot reach the host (it answers {status})"
    return "proxy-failed", f"the proxy opens no tunnel (it answers {status})"


def _system(error: Exception) -> str:
    """Return what the operating system says."""
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return getattr(cause, "strerror", None) or type(cause).__name__
