"""Looking up a place in a request: one value, or the reason why there is none that could be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from tidings.errors import MalformedError
from tidings.events.media import JSON, bare
from tidings.events.strict import decode_json
from tidings.webhooks.receive.places import Header, Place, Query
from tidings.webhooks.receive.verdict import Reason, RequestFacts

FORM = "application/x-www-form-urlencoded"
_VALUE_MAX = 16_384  # bytes; no header of any provider comes near it
_FIELDS_MAX = 1_000
_VISIBLE = bytes(range(0x20, 0x7F))
_JSON_BYTES = JSON.encode()
_UNREAD: Any = object()
_NOTHING = RequestFacts()


class Refusal(Exception):
    """The request is not to be believed, for one of the known reasons. Raised and caught within this room."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Given:
    """A request, as it was received. Nothing of it is looked at before somebody asks, and then once for all who do."""

    __slots__ = ("_document", "_named", "body", "headers", "request")

    def __init__(
        self,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        request: RequestFacts = _NOTHING,
        named: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """`named`: the headers by their names in lower case, if somebody has them so already, each of them once."""
        self.headers: Final = headers
        self.body: Final = body
        self.request: Final = request
        self._named: Mapping[bytes, bytes | None] | None = named
        self._document: Any = _UNREAD

    @property
    def document(self) -> Any:
        """The JSON of the body; Refusal if it is none."""
        if self._document is _UNREAD:
            try:
                self._document = decode_json(self.body)
            except MalformedError:
                raise Refusal("body-field-missing") from None
        return self._document

    def value(self, place: Place, item: Any = None) -> bytes:
        """Return what stands there, of a member of `item` its text; Refusal if there is nothing, or more than one."""
        if isinstance(place, Header):
            return self.needed(place.name.encode())
        if isinstance(place, Query):
            return self._parameter(place.name)
        text = text_of(member(self.document if item is None or place.whole else item, place.steps))
        if text is None:
            raise Refusal("body-field-missing")
        return text.encode()

    def needed(self, name: bytes) -> bytes:
        """Return what `header` does; Refusal also if there is none."""
        found = self.header(name)
        if found is None:
            raise Refusal("missing-header")
        return found

    @property
    def is_form(self) -> bool:
        """Whether its one Content-Type is that of a form."""
        if self._values().get(b"content-type") == _JSON_BYTES:
            return False
        try:
            said = self.header(b"content-type")
        except Refusal:
            return False
        return said is not None and bare(said.decode()) == FORM

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header by its name in lower case; None if there is none.

        Refusal if there are several, or if no such value is to be expected.
        """
        named = self._named or self._values()
        if name not in named:
            return None
        value = named[name]
        if value is None:
            raise Refusal("repeated-header")
        value = value.strip(b" \t")
        if not value or len(value) > _VALUE_MAX or value.translate(None, _VISIBLE):
            raise Refusal("malformed-header")
        return value

    def _values(self) -> Mapping[bytes, bytes | None]:
        if self._named is None:
            self._named = _by_name(self.headers)
        return self._named

    def _parameter(self, name: str) -> bytes:
        values = [value for key, value in form_fields(self.request.query) if key == name]
        if len(values) != 1:
            raise Refusal("repeated-header" if values else "missing-header")
        return values[0].encode()


def look_up(place: Place) -> Callable[[Given], bytes]:
    """Return what returns the value at this place, as `Given.value` does."""
    if isinstance(place, Header):
        name = place.name.encode()
        return lambda given: given.needed(name)
    return lambda given: given.value(place)


def _by_name(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes | None]:
    """Return the values by their names in lower case; None for what stands more than once."""
    found: dict[bytes, bytes | None] = dict(headers)
    if len(found) == len(headers) and b"".join(found).islower():
        return found  # as a server hands them over that has lowered them itself
    found = {}
    for name, value in headers:
        name = name.lower()
        found[name] = None if name in found else value
    return found


def form_fields(text: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form body or query, decoded once, in their order; Refusal if they cannot be read."""
    try:
        return parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:  # also what is no ASCII, or no UTF-8 after it was decoded
        raise Refusal("malformed-header") from None


def member(value: Any, steps: Sequence[str]) -> Any:
    """Return what these names and indexes lead to within a JSON value; None if there is nothing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif (
            isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 10 and int(step) < len(value)
        ):
            value = value[int(step)]
        else:
            return None
    return value


def text_of(value: Any) -> str | None:
    """Return a string as it is, a whole number in digits, `true` or `false`; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None


def items_of(document: Any, arrays: Sequence[str]) -> list[Any]:
    """Return the items of arrays within arrays, by their JSON pointers; Refusal if one of them is no array."""
    found = [document]
    for pointer in arrays:
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
        inner = [member(each, steps) for each in found]
        if not all(isinstance(each, list) for each in inner):
            raise Refusal("body-field-missing")
        found = [item for each in inner for item in each]
    return found
