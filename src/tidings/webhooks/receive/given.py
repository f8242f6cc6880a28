"""Looking up a place in a request: one value, or the reason why there is none that could be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from tidings.errors import MalformedError
from tidings.events.media import bare
from tidings.events.strict import decode_json
from tidings.webhooks.receive.places import Header, Place, Query
from tidings.webhooks.receive.verdict import Reason, RequestFacts

FORM = "application/x-www-form-urlencoded"
_VALUE_MAX = 16_384  # bytes; no header of any provider comes near it
_FIELDS_MAX = 1_000
_VISIBLE = bytes(range(0x20, 0x7F))


class Refusal(Exception):
    """The request is not to be believed, for one of the known reasons. Raised and caught within this room."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Given:
    """A request, as it was received. Nothing of it is parsed before somebody asks."""

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    request: RequestFacts = field(default_factory=RequestFacts)

    @cached_property
    def document(self) -> Any:
        """The JSON of the body; Refusal if it is none."""
        try:
            return decode_json(self.body)
        except MalformedError:
            raise Refusal("body-field-missing") from None

    def value(self, place: Place, item: Any = None) -> bytes:
        """Return what stands there, of a member of `item` its text; Refusal if there is nothing, or more than one."""
        if isinstance(place, Header):
            return self._header(place.name)
        if isinstance(place, Query):
            return self._parameter(place.name)
        found = text_of(member(self.document if item is None or place.whole else item, place.steps))
        if found is None:
            raise Refusal("body-field-missing")
        return found.encode()

    @property
    def is_form(self) -> bool:
        """Whether its one Content-Type is that of a form."""
        try:
            return bare(self._header("content-type").decode()) == FORM
        except Refusal:
            return False

    def _header(self, name: str) -> bytes:
        wanted = name.encode()
        values = [value for key, value in self.headers if key.lower() == wanted]
        if len(values) != 1:
            raise Refusal("repeated-header" if values else "missing-header")
        value = values[0].strip(b" \t")
        if not value or len(value) > _VALUE_MAX or value.translate(None, _VISIBLE):
            raise Refusal("malformed-header")
        return value

    def _parameter(self, name: str) -> bytes:
        values = [value for key, value in form_fields(self.request.query) if key == name]
        if len(values) != 1:
            raise Refusal("repeated-header" if values else "missing-header")
        return values[0].encode()


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
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case _:
            return None


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
