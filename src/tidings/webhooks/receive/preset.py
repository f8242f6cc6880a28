"""A preset: everything a receiver must know of one provider, as data. A user's own provider is the same object."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias, get_args

from tidings.errors import DeclarationError
from tidings.events.media import is_media_type
from tidings.webhooks.receive.places import First, Header, Member, Place, Query, places_of
from tidings.webhooks.receive.scheme import SIGNING, Id, Scheme

BODY_LIMIT_MAX = 25 * 1024 * 1024
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_REMEMBERED_MIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Fields:
    """An id of several members, joined by `:`; all of them must be there."""

    places: tuple[Place, ...]

    def __post_init__(self) -> None:
        if len(self.places) < 2:
            raise DeclarationError('an id of several fields names them: Fields((Member("/code"), Member("/number")))')


@dataclass(frozen=True, slots=True)
class BodyHash:
    """The id is `sha256:` and the hex SHA-256 of the item's bytes: for providers that give none."""


Dedupe: TypeAlias = Place | First | Fields | BodyHash | Literal["none"]
"""What makes two deliveries one event. A delivery that lacks the place is known by its hash. `none` lets all pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How a stored request is answered: two statuses of 200 to 299, one body, its media type."""

    new: int = 202
    duplicate: int = 200
    body: bytes = b""
    media_type: str | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(status, int) and 200 <= status <= 299 for status in (self.new, self.duplicate)):
            raise DeclarationError(
                "a stored request is answered by a status from 200 to 299, or its sender tries again"
            )
        if bool(self.body) != (self.media_type is not None):
            raise DeclarationError("an answer with a body has a media type, and one without has none")


HandshakeKind = Literal["slack", "meta", "zoom", "graph", "discord", "x", "cloudevents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """How the provider asks whether the receiver is there. `kind`: whose way it is.

    `origins`, `rate`: of `cloudevents` only: the origins that may send (`*` for all), and how many requests a minute
    (None: `*`, any number).
    """

    kind: HandshakeKind
    origins: tuple[str, ...] = ()
    rate: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(HandshakeKind):
            raise DeclarationError(f"a handshake is one of {', '.join(get_args(HandshakeKind))}, not {self.kind!r}")
        if self.rate is not None and self.rate < 1:
            raise DeclarationError(f"a rate is a number of requests a minute from 1, or None, not {self.rate!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What one provider sends. Places are looked for in the item where the body is split (`Member.whole`: in the body).

    `name`: the first part of every type. `schemes`: tried in order; none is implied. `type`: places whose texts are
    joined by `.`; only the first must be there. `untyped`: the type where it is not; None: such a delivery cannot be
    read. `time`: the occurrence; `order`: what newer is told by; `correlation`: what deliveries of one cause share.
    `split`: JSON pointers of arrays, one within the other, whose items are the events. `volatile`: JSON pointers of an
    item that differ from one delivery to the next. `agree`: pairs of places that say the same wherever both are there.
    `required`: of a type as the provider writes it, the members that an item of it has. `form_member`: the field of a
    form body that holds the JSON. `remembers`: at least the provider's longest span of retries. `page`: where the
    provider describes it. `notes`: what else to know. `unconfirmed`: what its own pages or code were not seen to say.
    """

    name: str
    schemes: tuple[Scheme, ...]
    dedupe: Dedupe
    type: tuple[Place | First, ...]
    untyped: str | None = None
    subject: Place | First | None = None
    time: Place | First | None = None
    order: Place | First | None = None
    correlation: Place | None = None
    split: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    agree: tuple[tuple[Place, Place], ...] = ()
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    form_member: str | None = None
    handshake: Handshake | None = None
    media_types: tuple[str, ...] = ("application/json",)
    body_limit: int = 1_048_576
    answers: Answers = Answers()
    remembers: timedelta = _REMEMBERED_MIN
    page: str = ""
    notes: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DeclarationError(f"a preset's name is lower case letters and digits joined by `-`, not {self.name!r}")
        _check_schemes(self)
        _check_places(self)
        if not 0 < self.body_limit <= BODY_LIMIT_MAX:
            raise DeclarationError(f"a body's limit is 1 to {BODY_LIMIT_MAX:,} bytes, not {self.body_limit!r}")
        if not self.media_types or not all(is_media_type(each) for each in self.media_types):
            raise DeclarationError(f'media types are written ("application/json",), not {self.media_types!r}')
        if self.remembers < _REMEMBERED_MIN:
            raise DeclarationError("webhooks are remembered for 7 days or longer, or a late retry is a second event")

    @property
    def needs_url(self) -> bool:
        """Whether the receiver must be told its public URL."""
        return any(scheme.needs_url for scheme in self.schemes)

    @property
    def id_is_signed(self) -> bool:
        """Whether nobody but the sender can give a body another id: it is in a body that is signed whole, or a scheme
        signs it. Of members and fields that are joined, anybody can move the borders under the same signature.

        Schemes that only know a secret sign nothing: whoever has it can send what they like, so there is no more to
        guard.
        """
        if self.dedupe == "none":
            return True
        covering = [scheme for scheme in self.schemes if scheme.algorithm in SIGNING]
        return all(_covers(scheme, _id_places(self.dedupe)) for scheme in covering)


def _id_places(dedupe: Dedupe) -> Sequence[Place]:
    """Return where the id stands; of a body's hash, that is nowhere but in the body."""
    if isinstance(dedupe, str | BodyHash):
        return ()
    return dedupe.places if isinstance(dedupe, Fields) else places_of(dedupe)


def _covers(scheme: Scheme, places: Sequence[Place]) -> bool:
    """Where the scheme signs the first place, it is always there, so that no other one counts."""
    if all(isinstance(place, Member) for place in places):
        return scheme.signs_body
    return scheme.id == places[0] and any(isinstance(part, Id) for part in scheme.signed)


def _check_schemes(preset: Preset) -> None:
    if not preset.schemes or not all(isinstance(scheme, Scheme) for scheme in preset.schemes):
        raise DeclarationError('a preset has schemes: write schemes=(Scheme(…),), or algorithm="unsigned" in one')
    if preset.split:
        for scheme in preset.schemes:
            if scheme.algorithm in SIGNING and not scheme.signs_body and scheme.each != preset.split:
                raise DeclarationError("a body that is split is signed whole, or `each` of its items is")


def _check_places(preset: Preset) -> None:
    given = [*preset.type, preset.subject, preset.time, preset.order, preset.correlation]
    given += [place for pair in preset.agree for place in pair]
    if not preset.type or any(not isinstance(each, Header | Query | Member | First | None) for each in given):
        raise DeclarationError(
            'a place is written Header("x-type"), Query("type") or Member("/type"); a type needs one'
        )
    if preset.time is not None and any(place.unit is None for place in places_of(preset.time)):
        raise DeclarationError('say how the time is written: Member("/created", "s"), "ms" or "rfc3339"')
    if isinstance(preset.dedupe, str) and preset.dedupe != "none":
        raise DeclarationError(f'dedupe is a place, Fields(…), BodyHash() or "none", not {preset.dedupe!r}')
    if any(not pointer.startswith("/") for pointer in preset.volatile):
        raise DeclarationError('a volatile member is a JSON pointer, such as "/pending_webhooks"')
