"""A signature beside ours, made as the sender before tidings made it, for receivers that have not moved yet.

It is made by the schemes that receivers have (`tidings.webhooks.receive`), so that one table says how each is made, for
whoever signs and whoever verifies. This is the only module of outgoing webhooks that looks there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from tidings.errors import DeclarationError, InvalidConfigurationError
from tidings.events.codec import pointer
from tidings.ports import utc
from tidings.webhooks.deliver.endpoint import Endpoint, Legacy
from tidings.webhooks.deliver.headers import NAME_MAX, as_read, fault_of, is_reserved
from tidings.webhooks.receive.keys import Key, signing
from tidings.webhooks.receive.places import Header, Pairs, Plain, Prefix
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.scheme import MADE_WITH_A_HASH, Members, Scheme, Setting, SortedForm, Url
from tidings.webhooks.receive.sign import sign
from tidings.webhooks.receive.verdict import RequestFacts
from tidings.wording import absent

MEMBERS = ("preset", "header", "prefix", "secret")
PREFIX_MAX = 64
SECRET_MAX = 1_024
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PREFIX = re.compile(rf"(?:[\x21-\x7e][\x20-\x7e]{{0,{PREFIX_MAX - 1}}})?")


def _stands_beside(scheme: Scheme) -> bool:
    """Say whether it is made with a shared secret, of what is sent anyway, and stands in headers that are not ours.

    The body is what our own signature covers: what would change it, or is not of it, cannot be signed with.
    """
    places = (scheme.signature, scheme.id, scheme.timestamp)
    return (
        scheme.algorithm in MADE_WITH_A_HASH
        and all(each is None or (isinstance(each, Header) and not is_reserved(each.name)) for each in places)
        and (scheme.key_name, scheme.body_sha256) == (None, None)
        and not any(isinstance(part, Setting | Members | SortedForm) for part in scheme.signed)
    )


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {name: preset.schemes[0] for name, preset in sorted(PRESETS.items()) if _stands_beside(preset.schemes[0])}
)
"""The first scheme of each preset in which can be signed beside ours, by the preset's name."""


def faults_of(given: object, *, is_polled: bool) -> list[tuple[str, str]]:
    """Return what is wrong with the JSON object of a `Legacy`: pairs of a JSON pointer into it and why.

    The secret is not repeated. `is_polled`: whether the endpoint has no URL.
    """
    if not isinstance(given, Mapping):
        return [("", f"expected an object with {', '.join(MEMBERS[:-1])} and secret, or null for none")]
    known = f"there is {', '.join(MEMBERS)}"
    faults = [(pointer(name[:64]), f"there is no such member; {known}") for name in given if name not in MEMBERS]
    name = given.get("preset")
    scheme = SCHEMES.get(name) if isinstance(name, str) else None
    wrong = {
        "preset": _wrong_preset(name) if scheme is None else _wrong_scheme(scheme, name, is_polled=is_polled),
        "header": _wrong_header(given.get("header"), scheme),
        "prefix": _wrong_prefix(given.get("prefix"), scheme),
        "secret": _wrong_secret(given.get("secret"), scheme),
    }
    return faults + [(f"/{member}", why) for member, why in wrong.items() if why is not None]


def legacy_of(given: Mapping[str, Any]) -> Legacy:
    """Return what a JSON object says in which `faults_of` found nothing."""
    usual = SCHEMES[given["preset"]].signature
    assert isinstance(usual, Header)
    return Legacy(
        preset=given["preset"],
        header=given.get("header") or usual.name,
        prefix=given.get("prefix"),
        secret=given["secret"],
    )


def check_beside(endpoint: Endpoint, *, are_headers_given: bool = True) -> None:
    """Refuse headers of the endpoint's own that its legacy signature needs. InvalidConfigurationError.

    `are_headers_given`: whether they are in what is asked for, so that it can be pointed at them; else at `legacy`.
    """
    if endpoint.legacy is None:
        return
    taken = {as_read(place.name) for place in _places(scheme_of(endpoint.legacy))}
    for name in endpoint.headers:
        if as_read(name) in taken:
            why = f"{as_read(name)} is the one of `legacy`: leave it out, or name another header there"
            if are_headers_given:
                raise InvalidConfigurationError(f"/headers: {why}", errors=[(f"/headers{pointer(name)}", why)])
            why = f"{as_read(name)} is a header of the endpoint's own: name another one here, or take that one out"
            raise InvalidConfigurationError(f"/legacy/header: {why}", errors=[("/legacy/header", why)])


def scheme_of(legacy: Legacy) -> Scheme:
    """Return how it is signed: the preset's scheme, with what is said otherwise of its header."""
    return _scheme(legacy.preset, legacy.header, legacy.prefix)


def legacy_headers(legacy: Legacy, *, url: str, id: str, at: int, body: bytes) -> list[tuple[str, str]]:
    """Return the header, and those that say the time and the id if the scheme has them.

    `id`: the `webhook-id`. `at`: now, in µs since 1970. `body`: as it is sent.
    """
    where, _, query = url.partition("?")
    facts = RequestFacts(public_url=where, query=query.encode())
    made = sign(scheme_of(legacy), body, facts, [Key(legacy.secret)], id=id, at=utc(at))
    # Receivers that are older than HTTP/2 may look for the name as the old sender wrote it.
    written = {legacy.header.lower(): legacy.header}
    return [(written.get(name.decode(), name.decode()), value.decode()) for name, value in made.headers]


@lru_cache(maxsize=1_024)
def _scheme(preset: str, header: str, prefix: str | None) -> Scheme:
    scheme = SCHEMES[preset]
    layout = scheme.layout if prefix is None else Prefix(prefix) if prefix else Plain()
    return replace(scheme, signature=Header(header), layout=layout)


def _places(scheme: Scheme) -> list[Header]:
    return [each for each in (scheme.signature, scheme.id, scheme.timestamp) if isinstance(each, Header)]


def _wrong_preset(name: object) -> str:
    if not isinstance(name, str):
        return f"expected one of {', '.join(SCHEMES)}"
    if name in PRESETS:
        return f"its signature cannot stand in a header beside ours; there is {', '.join(SCHEMES)}"
    return absent("preset", name, SCHEMES)


def _wrong_scheme(scheme: Scheme, name: object, *, is_polled: bool) -> str | None:
    if is_polled and any(isinstance(part, Url) for part in scheme.signed):
        return f"{name} signs the URL, and an endpoint that is polled has none"
    return None


def _wrong_header(name: object, scheme: Scheme | None) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"a header's name is 1 to {NAME_MAX} letters, digits, hyphens or underscores"
    if scheme is not None and as_read(name) in {
        as_read(place.name) for place in _places(scheme) if place != scheme.signature
    }:
        return "the time or the id that is signed stands there: choose another name"
    return fault_of(name, "")


def _wrong_prefix(prefix: object, scheme: Scheme | None) -> str | None:
    if prefix is None:
        return None
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        return f"expected what stands before the signature, at most {PREFIX_MAX} visible ASCII characters"
    if scheme is not None and not isinstance(scheme.layout, Plain | Prefix):
        layout = scheme.layout
        label = layout.signature if isinstance(layout, Pairs) else layout.label
        return f"in this scheme a signature stands under the name {label}: leave it out"
    return None


def _wrong_secret(secret: object, scheme: Scheme | None) -> str | None:
    if secret is None:
        return "it is missing: give the old secret, as receivers have it"
    if not isinstance(secret, str) or not 1 <= len(secret) <= SECRET_MAX:
        return f"expected the old secret, as receivers have it, of at most {SECRET_MAX:,} characters"
    if secret != secret.strip():
        return "it has a space or a line end around it: it was read from a file as it stands"
    if scheme is None:
        return None
    try:
        signing(scheme, Key(secret))
    except DeclarationError as error:
        return str(error)
    return None
