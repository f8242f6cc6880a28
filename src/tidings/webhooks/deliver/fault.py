"""Which failure an end of libcurl's is. The texts are ours, but for what it says of certificates and of no HTTP."""

from __future__ import annotations

import os

import pycurl

from tidings.webhooks.deliver.answer import FailureKind
from tidings.webhooks.deliver.transfers import Ended

ERROR_CHARACTERS = 500
REFUSED = "nothing may be sent to this address"
_FORBIDDEN = 403
_TARGET_UNREACHABLE = (502, 503, 504)
_NO_TLS: tuple[FailureKind, str] = ("tls", "no TLS connection: {said}")
_NO_HTTP: tuple[FailureKind, str] = ("protocol", "what came is no answer of HTTP: {said}")
_CUT: tuple[FailureKind, str] = ("protocol", "the connection ended before the answer")
_MEANINGS: dict[int, tuple[FailureKind, str]] = {
    pycurl.E_COULDNT_RESOLVE_HOST: ("dns", "the name of the host leads nowhere"),
    pycurl.E_COULDNT_CONNECT: ("connect", "no connection: {system}"),
    pycurl.E_PEER_FAILED_VERIFICATION: ("tls", "the certificate is not trusted: {said}"),
    pycurl.E_SSL_CONNECT_ERROR: _NO_TLS,
    pycurl.E_SSL_CACERT_BADFILE: _NO_TLS,
    pycurl.E_UNSUPPORTED_PROTOCOL: _NO_HTTP,
    pycurl.E_FTP_WEIRD_SERVER_REPLY: _NO_HTTP,  # its former name; HTTP has it too
    pycurl.E_BAD_CONTENT_ENCODING: _NO_HTTP,
    pycurl.E_GOT_NOTHING: _CUT,
    pycurl.E_RECV_ERROR: _CUT,
    pycurl.E_SEND_ERROR: _CUT,
    pycurl.E_ABORTED_BY_CALLBACK: _CUT,
    pycurl.E_URL_MALFORMAT: ("url-invalid", "this is no URL that can be sent to"),
}


def fault_of(ended: Ended, *, is_said: bool, is_proxied: bool) -> tuple[FailureKind, str]:
    """Return which failure it is that a request ended so without an answer, and one line for people.

    `is_said`: the request went out.
    """
    kind, why = _told(ended, is_said=is_said, is_proxied=is_proxied)
    system = os.strerror(ended.errno) if ended.errno else "none could be made"
    return kind, " ".join(why.format(said=ended.said, system=system).split())[:ERROR_CHARACTERS]


def _told(ended: Ended, *, is_said: bool, is_proxied: bool) -> tuple[FailureKind, str]:
    if ended.code == pycurl.E_OPERATION_TIMEDOUT:
        return "timeout", "no answer in time" if is_said else "no connection in time"
    if is_proxied and not is_said and ended.tunnel // 100 != 2:
        return _of_proxy(ended)
    if is_said and ended.code == pycurl.E_COULDNT_CONNECT:  # libcurl would have said it anew
        return _CUT
    return _MEANINGS.get(ended.code, ("protocol", f"no answer that can be read ({ended.code} of libcurl)"))


def _of_proxy(ended: Ended) -> tuple[FailureKind, str]:
    """Say whose fault it is that the proxy opened no tunnel."""
    status = ended.tunnel
    if status == _FORBIDDEN:
        return "address-refused", f"the proxy refuses this address (it answers {status})"
    if status in _TARGET_UNREACHABLE:
        return "connect", f"the proxy cannot reach the host (it answers {status})"
    if status:
        return "proxy-failed", f"the proxy opens no tunnel (it answers {status})"
    if ended.code == pycurl.E_COULDNT_CONNECT:
        return "proxy-failed", "the proxy cannot be reached: {system}"
    return "proxy-failed", "the proxy opens no tunnel"
