"""What all requests have in common, as settings of libcurl's handles: nothing that a receiver or the environment says
changes the way they go."""

from __future__ import annotations

import ssl

import pycurl

from tidings.webhooks.deliver.limits import Limits


def handle_of(limits: Limits, *, proxy: str | None, authorities: str | None) -> pycurl.Curl:
    """Return a new handle that POSTs. `authorities`: certificates as PEM, None for those that the system trusts."""
    options: list[tuple[int, object]] = [
        (pycurl.POST, 1),
        (pycurl.NOSIGNAL, 1),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.HTTP09_ALLOWED, 0),
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.PATH_AS_IS, 1),
        (pycurl.USERAGENT, ""),
        (pycurl.PROXY, proxy or ""),
        # Of http, too: what a proxy itself answers is no answer of the receiver's.
        (pycurl.HTTPPROXYTUNNEL, 1),
        (pycurl.NOPROXY, "" if proxy else "*"),
        (pycurl.TIMEOUT_MS, round(limits.total_s * 1_000)),
        (pycurl.CONNECTTIMEOUT_MS, round(limits.connect_s * 1_000)),
        (pycurl.DNS_CACHE_TIMEOUT, 0),
        (pycurl.MAXAGE_CONN, limits.kept_s),
        (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
        *_trusted(authorities),
    ]
    handle = pycurl.Curl()
    for option, value in options:
        handle.setopt(option, value)
    return handle


def _trusted(authorities: str | None) -> list[tuple[int, object]]:
    if authorities is not None:
        return [(pycurl.CAINFO_BLOB, authorities), (pycurl.PROXY_CAINFO_BLOB, authorities)]
    paths = ssl.get_default_verify_paths()
    files = [(option, paths.cafile) for option in (pycurl.CAINFO, pycurl.PROXY_CAINFO)]
    folders = [(option, paths.capath) for option in (pycurl.CAPATH, pycurl.PROXY_CAPATH)]
    return [(option, where) for option, where in files + folders if where is not None]
