"""A receiver: the door for one provider's webhooks, as an application declares it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from tidings.errors import DeclarationError
from tidings.events.declaration import declared_class
from tidings.events.uri import is_uri_reference
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.handshake import is_signed_for_anybody
from tidings.webhooks.receive.keys import Key, check_keys
from tidings.webhooks.receive.places import Member, Query
from tidings.webhooks.receive.preset import BodyHash, Preset
from tidings.webhooks.receive.read import Item, Reader
from tidings.webhooks.receive.scheme import Scheme
from tidings.webhooks.receive.verdict import Accepted, Rejected, RequestFacts
from tidings.webhooks.receive.verify import Verifier

Translation = Callable[[Item], Any]
F = TypeVar("F", bound=Translation)

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_ID_MAX = 64
_SOURCE_MAX = 1_024  # bytes
_US = timedelta(microseconds=1)
_RIGHT_FORM = 'app.receiver("till", preset=PRESETS["stripe"], secrets=(SECRET,), source="/till")'
_FUNCTION = '@{0}.translate("order.paid") above `def paid(item: Item) -> OrderPaid | None`'
_CREDENTIALS = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"x-api-key"})


class Receiver:
    """One receiver. `App.receiver` says what its arguments are, and makes it.

    `created`: when one was made that is no part of the code, µs since 1970.
    """

    def __init__(
        self,
        id: str,
        preset: Preset | Scheme,
        *,
        secrets: Sequence[str | Key],
        source: str,
        public_url: str | None = None,
        expected_every: timedelta | None = None,
    ) -> None:
        if not isinstance(id, str) or not _ID.fullmatch(id) or len(id) > _ID_MAX:
            raise DeclarationError(
                f"{id!r:.80} is no receiver's id: use at most {_ID_MAX} lower case letters and digits, joined by '-'"
            )
        self.id = id
        self.preset = preset = _preset(id, preset)
        self.keys = _keys(id, preset, secrets)
        self.source = _source(id, source)
        self.public_url = public_url
        self.expected_every = _period(id, expected_every)
        self.settings: Mapping[str, str] = MappingProxyType({})
        self._verifier = Verifier(preset.schemes, self.keys)
        self.reader = Reader(preset)
        self.remembers_us = preset.remembers // _US
        self.is_retired = False
        self.created: int | None = None
        self.declared_at: str | None = None
        self.translations: dict[str | None, Translation] = {}
        self.emits: tuple[type, ...] = ()
        if public_url is not None and ("?" in public_url or "#" in public_url):
            raise DeclarationError(
                f"public_url of the receiver {id!r} has a query or a fragment: give it up to the path, since the query "
                "is that of each request"
            )
        if preset.needs_url and not public_url:
            raise DeclarationError(
                f"{preset.name} signs the URL, and a request's own Host is not trusted: give the receiver {id!r} "
                'public_url="https://…/hooks/' + id + '"'
            )
        self.masked_headers, self.masked_parameters = _credentials(preset)
        self._delivered = self._facts("POST", b"")

    @property
    def expected_us(self) -> int | None:
        """How long it may be silent, in µs; None: for ever."""
        return None if self.expected_every is None else self.expected_every // _US

    def translate(self, *types: str, emits: Sequence[type] = ()) -> Callable[[F], F]:
        """Declare a plain function (item) -> event, events or None for these types of the provider; without any: all.

        None: the delivery is kept, and says nothing here. Its events' ids follow from the item's, so that a repeat is
        no second event. `emits`: event classes that no service of the application names. DeclarationError.
        """
        form = _FUNCTION.format(self.id.replace("-", "_"))
        if any(not isinstance(each, str) for each in types):
            raise DeclarationError(f"give the provider's types: write {form}")
        classes = tuple(declared_class(each).cls for each in emits)

        def declare(function: F) -> F:
            _check_function(function, form)
            names: list[str | None] = [self._type(each) for each in types]
            for name in names or [None]:
                if name in self.translations:
                    raise DeclarationError(f"{self.id} has two translations of {name or 'everything'}: keep one")
                self.translations[name] = function
            self.emits += classes
            return function

        return declare

    def setting(self, **texts: str) -> Receiver:
        """Give it the texts that its preset asks for, such as PayPal's `webhook_id`; return it. DeclarationError."""
        if not all(isinstance(text, str) and text for text in texts.values()):
            raise DeclarationError(f'a setting of the receiver {self.id!r} is a text: write .setting(webhook_id="…")')
        self.settings = MappingProxyType({**self.settings, **texts})
        self._delivered = self._facts("POST", b"")
        return self

    def judge(self, request: Given, now_us: int) -> Accepted | Rejected:
        """Judge a request as `Verifier.judge` does. What a handshake has signed for anybody is nobody's delivery."""
        verdict, asked = self._verifier.judge(request, now_us), self.preset.handshake
        if asked is not None and isinstance(verdict, Accepted) and is_signed_for_anybody(asked, request.body):
            return Rejected("no-matching-signature")
        return verdict

    def facts(self, method: str, query: bytes) -> RequestFacts:
        """Return what a request to this receiver is judged by beside its headers and body."""
        return self._delivered if method == "POST" and not query else self._facts(method, query)

    def _facts(self, method: str, query: bytes) -> RequestFacts:
        return RequestFacts(method=method, query=query, public_url=self.public_url, settings=self.settings)

    def translation_of(self, type: str) -> Translation | None:
        """Return the function for an item of this type; None: the item itself is the event."""
        return self.translations.get(type) or self.translations.get(None)

    def _type(self, text: str) -> str:
        prefix = f"{self.preset.name}."
        return text if text.startswith(prefix) else prefix + text

    def __repr__(self) -> str:
        return f"Receiver({self.id!r}, {self.preset.name})"


def _preset(id: str, preset: object) -> Preset:
    """Return the preset; of a bare scheme one for whoever signs so, whose type is the member `type`, if there is one.

    A delivery is then known by the id that the scheme signs, and without such by its bytes.
    """
    if isinstance(preset, Scheme):
        dedupe = BodyHash() if preset.id is None else preset.id
        return Preset(name=id, schemes=(preset,), dedupe=dedupe, type=(Member("/type"),), untyped="received")
    if not isinstance(preset, Preset):
        raise DeclarationError(f"the receiver {id!r} needs a Preset or a Scheme: write {_RIGHT_FORM}")
    return preset


def _keys(id: str, preset: Preset, secrets: Sequence[str | Key]) -> tuple[Key, ...]:
    if isinstance(secrets, str | Key) or not isinstance(secrets, Sequence):
        raise DeclarationError(f"secrets of the receiver {id!r} must be a tuple, even of one: write {_RIGHT_FORM}")
    found = []
    for secret in secrets:
        if not isinstance(secret, str | Key):
            raise DeclarationError(
                f"a secret of the receiver {id!r} is {type(secret).__name__}, not a text: is its variable set?"
            )
        found.append(secret if isinstance(secret, Key) else Key(secret))
    check_keys(preset.schemes, found)
    return tuple(found)


def _source(id: str, source: object) -> str:
    if not isinstance(source, str) or not 0 < len(source.encode()) <= _SOURCE_MAX or not is_uri_reference(source):
        raise DeclarationError(f"the receiver {id!r} needs a source, a URI-reference: write {_RIGHT_FORM}")
    if source == "tidings":
        raise DeclarationError('the source "tidings" is that of operational events: give the receiver another one')
    return source


def _period(id: str, expected_every: object) -> timedelta | None:
    if expected_every is None or (isinstance(expected_every, timedelta) and expected_every >= timedelta(seconds=1)):
        return expected_every
    raise DeclarationError(f"expected_every of the receiver {id!r} is a timedelta of a second or more, or None")


def _check_function(function: object, form: str) -> None:
    if not callable(function) or isinstance(function, type):
        raise DeclarationError(f"{function!r:.80} is no function: write {form}")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise DeclarationError(f"a translation is a plain function, which waits for nothing: write {form}")
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"{function!r:.80} cannot be called with one item ({error}): write {form}") from None


def _credentials(preset: Preset) -> tuple[frozenset[bytes], frozenset[str]]:
    """Return the headers and parameters whose values would let whoever reads a receipt send one."""
    shown = [scheme.signature for scheme in preset.schemes if scheme.algorithm in ("token", "basic")]
    headers = {place.name.encode() for place in shown if place is not None and not isinstance(place, Member | Query)}
    parameters = {each.name.lower() for each in shown if isinstance(each, Query)}
    return _CREDENTIALS | headers, frozenset({"token"} | parameters)
