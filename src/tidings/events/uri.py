"""URIs by the grammar of RFC 3986, appendix A."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

_PCT = "%[0-9A-Fa-f]{2}"
_LOOSE = r"A-Za-z0-9\-._~!$&'()*+,;="
_PCHAR = rf"(?:[{_LOOSE}:@]|{_PCT})"
_HOST = rf"(?:\[(?P<ip>[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[{_LOOSE}:]+)\]|(?:[{_LOOSE}]|{_PCT})*+)"
_AUTHORITY = rf"//(?:(?:[{_LOOSE}:]|{_PCT})*+@)?{_HOST}(?::[0-9]*)?(?:/{_PCHAR}*+)*+"
_QUERY = rf"(?:\?(?:{_PCHAR}|[/?])*+)?(?:\#(?:{_PCHAR}|[/?])*+)?"
_PATH = rf"/(?:{_PCHAR}++(?:/{_PCHAR}*+)*+)?"
_SCHEME = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*+):"
_ROOTLESS = rf"{_PCHAR}++(?:/{_PCHAR}*+)*+"
_NO_SCHEME = rf"(?:[{_LOOSE}@]|{_PCT})++(?:/{_PCHAR}*+)*+"
_URI = re.compile(rf"{_SCHEME}(?:{_AUTHORITY}|{_PATH}|{_ROOTLESS}|){_QUERY}")
_RELATIVE = re.compile(rf"(?:{_AUTHORITY}|{_PATH}|{_NO_SCHEME}|){_QUERY}")


@lru_cache(maxsize=4096)
def is_uri_reference(text: str) -> bool:
    """Say whether the text is a URI or a relative reference."""
    return is_absolute_uri(text) or _fits(_RELATIVE, text)


@lru_cache(maxsize=4096)
def is_absolute_uri(text: str) -> bool:
    """Say whether the text is a URI with its scheme."""
    return _fits(_URI, text)


def _fits(grammar: re.Pattern[str], text: str) -> bool:
    found = grammar.fullmatch(text)
    if found is None:
        return False
    ip = found["ip"]
    if ip is None or ip[0] in "vV":
        return True
    try:
        IPv6Address(ip)
    except AddressValueError:
        return False
    return True
