"""A scheme: how a sender's signature is made, as data. What is wrong with it is said when it is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias, get_args

from tidings.errors import DeclarationError
from tidings.webhooks.receive.places import Header, Labelled, Layout, Member, Pairs, Place, Plain, Prefix, Query

Algorithm = Literal[
    "hmac-sha1",
    "hmac-sha256",
    "hmac-sha512",
    "ed25519",
    "ecdsa-p256-sha256",
    "rsa-sha256",
    "token",
    "basic",
    "unsigned",
]
Encoding = Literal["hex", "base64", "none"]
"""`hex` in lower case; `base64` with padding (RFC 4648 section 4). A signature has one spelling; no other is taken."""
KeyForm = Literal["text", "base64", "whsec", "whpk", "hex", "pem", "cert-url"]
"""How a key is written. `whsec`: after `whsec_`, base64. `whpk`: after `whpk_`, base64 of an Ed25519 public key.
`cert-url`: the PEM of the certificate that the provider serves under the URL that is the key's name."""

MADE_WITH_A_HASH = frozenset({"hmac-sha1", "hmac-sha256", "hmac-sha512"})
MADE_WITH_TWO_KEYS = frozenset({"ed25519", "ecdsa-p256-sha256", "rsa-sha256"})
SIGNING = MADE_WITH_A_HASH | MADE_WITH_TWO_KEYS
"""The algorithms whose signature covers content; the others only know a secret."""


@dataclass(frozen=True, slots=True)
class Text:
    """A fixed text."""

    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A text that the receiver is configured with, such as the id that PayPal gave the webhook."""

    name: str


@dataclass(frozen=True, slots=True)
class Id:
    """The delivery's id, from the scheme's `id`, as it stands there."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The time, from the scheme's `timestamp` or its layout, as it stands there."""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of the body."""


@dataclass(frozen=True, slots=True)
class BodyCrc32:
    """The CRC-32 of the body in decimal."""


@dataclass(frozen=True, slots=True)
class BodySha256:
    """The SHA-256 of the body in lower case hex."""


@dataclass(frozen=True, slots=True)
class Url:
    """The receiver's public URL and the query of the request.

    `decoded`: with the escapes decoded that HubSpot decodes. `with_port`: with the scheme's own port written out.
    """

    decoded: bool = False
    with_port: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """The method of the request, in capitals."""


@dataclass(frozen=True, slots=True)
class SortedForm:
    """Each field of a form body: its name and then its value, sorted by name, without anything between."""


@dataclass(frozen=True, slots=True)
class Members:
    """Members of the body, or of one of its items, joined by a text; one that is absent is empty."""

    pointers: tuple[str, ...]
    joined_by: str = ":"


Part: TypeAlias = Text | Setting | Id | Timestamp | Body | BodyCrc32 | BodySha256 | Url | Method | SortedForm | Members


DEFAULT_TOLERANCE = timedelta(seconds=300)
_PLAIN = Plain()
_BODY = (Body(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a signature is made and where it stands. Frozen data: every provider is one of these, or a few.

    `signed`: the parts of what is signed, in order. `tolerance`: how far the time may be from now, either way; None:
    it is not checked, and None it must be where there is no time. `each`: JSON pointers of arrays, one within the
    other: then every item of them has a signature of its own, and all must be right. `key_name`: what in the request
    names the key that signed. `body_sha256`: where the request has the hex SHA-256 of its body, which must be right.
    """

    algorithm: Algorithm
    signature: Place | None = None
    layout: Layout = _PLAIN
    encoding: Encoding = "hex"
    signed: tuple[Part, ...] = _BODY
    key_form: KeyForm = "text"
    id: Place | None = None
    timestamp: Place | None = None
    tolerance: timedelta | None = DEFAULT_TOLERANCE
    each: tuple[str, ...] = ()
    key_name: Place | None = None
    body_sha256: Place | None = None

    def __post_init__(self) -> None:
        for name, known in (("algorithm", Algorithm), ("encoding", Encoding), ("key_form", KeyForm)):
            if getattr(self, name) not in get_args(known):
                raise DeclarationError(
                    f"a scheme's {name} is one of {', '.join(get_args(known))}, not {getattr(self, name)!r}"
                )
        for check in (_check_kinds, _check_time, _check_signed, _check_keys):
            check(self)

    @property
    def has_time(self) -> bool:
        return self.timestamp is not None or (isinstance(self.layout, Pairs) and self.layout.time is not None)

    @property
    def signs_body(self) -> bool:
        """Whether no other body fits what is signed, rather than some members or fields of it."""
        return self.body_sha256 is not None or any(
            isinstance(each, Body | BodyCrc32 | BodySha256) for each in self.signed
        )

    @property
    def needs_url(self) -> bool:
        """Whether the receiver must be told its public URL: the request's own Host is not trusted."""
        return any(isinstance(part, Url) for part in self.signed) and self.algorithm in SIGNING


def _check_kinds(scheme: Scheme) -> None:
    places = (scheme.signature, scheme.id, scheme.timestamp, scheme.key_name, scheme.body_sha256)
    if any(place is not None and not isinstance(place, Header | Query | Member) for place in places):
        raise DeclarationError('a place is written Header("x-signature"), Query("token") or Member("/signature")')
    if not isinstance(scheme.layout, Plain | Prefix | Pairs | Labelled):
        raise DeclarationError(f"a layout is Plain(), Prefix(…), Pairs(…) or Labelled(…), not {scheme.layout!r}")
    if (scheme.signature is None) != (scheme.algorithm == "unsigned"):
        raise DeclarationError(
            'say where the signature stands: give `signature`, or write algorithm="unsigned" out and give none'
        )


def _check_time(scheme: Scheme) -> None:
    tolerance = scheme.tolerance
    if tolerance is not None and (not isinstance(tolerance, timedelta) or tolerance <= timedelta(0)):
        raise DeclarationError(
            f"a tolerance is a timedelta above zero, not {tolerance!r}: to check no time, write tolerance=None"
        )
    if tolerance is not None and not scheme.has_time:
        raise DeclarationError(
            "without a place for the time it cannot be checked: write tolerance=None, or `timestamp`"
        )
    if scheme.timestamp is not None and scheme.timestamp.unit is None:
        raise DeclarationError('say how the time is written: Header("webhook-timestamp", "s"), "ms" or "rfc3339"')


def _check_signed(scheme: Scheme) -> None:
    if any(not isinstance(part, Part) for part in scheme.signed):
        raise DeclarationError(
            f'what is signed is a tuple of parts, such as (Timestamp(), Text("."), Body()), not {scheme.signed!r}'
        )
    if scheme.algorithm in SIGNING and all(isinstance(part, Text | Setting) for part in scheme.signed):
        raise DeclarationError("what is signed must come from the request: give at least a Body()")
    if scheme.algorithm in SIGNING and scheme.encoding == "none":
        raise DeclarationError('a signature is written as encoding="hex" or "base64"')
    if any(isinstance(part, Id) for part in scheme.signed) and scheme.id is None:
        raise DeclarationError('an Id() is signed, so say where it stands: id=Header("webhook-id")')
    if any(isinstance(part, Timestamp) for part in scheme.signed) and not scheme.has_time:
        raise DeclarationError(
            'a Timestamp() is signed, so say where it stands: timestamp=Header("webhook-timestamp", "s")'
        )
    if isinstance(scheme.timestamp, Member) and any(isinstance(part, Timestamp) for part in scheme.signed):
        raise DeclarationError("a time within the body is signed with the body: leave Timestamp() out")
    covers_body = any(isinstance(part, Body | BodyCrc32 | BodySha256) for part in scheme.signed)
    if isinstance(scheme.signature, Member) and covers_body and scheme.algorithm in SIGNING:
        raise DeclarationError("a signature within the body cannot cover the body: sign Members((…)) of it")


def _check_keys(scheme: Scheme) -> None:
    forms = {
        "ed25519": ("whpk", "hex", "base64", "pem"),
        "ecdsa-p256-sha256": ("base64", "pem", "cert-url"),
        "rsa-sha256": ("base64", "pem", "cert-url"),
        "token": ("text",),
        "basic": ("text",),
        "unsigned": ("text",),
    }.get(scheme.algorithm, ("text", "base64", "whsec", "hex"))
    if scheme.key_form not in forms:
        raise DeclarationError(
            f"a key of {scheme.algorithm} is written as {' or '.join(forms)}, not {scheme.key_form!r}"
        )
    if scheme.key_form == "cert-url" and scheme.key_name is None:
        raise DeclarationError('say where the certificate\'s URL stands: key_name=Header("paypal-cert-url")')
