"""The envelope: an event with the facts about it, by CloudEvents 1.0 names and rules."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

AttributeValue = str | int | bool
NO_ATTRIBUTES: Mapping[str, AttributeValue] = {}  # by its type nobody may change it; a proxy costs most of an encoding


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """One event as it is handed in, kept and handed out. Values are as received; nothing is normalised.

    `attributes` holds every other attribute by its name on the wire (`datacontenttype`, `dataschema`,
    `correlationid`, `causationid`, `traceparent`, `partitionkey`, any extension); never one of the fields here.
    `time` is the publisher's own text (RFC 3339 with offset). `data` is the publisher's own bytes; None: no data.
    `time_stamped`: the time was given by tidings at publish, so it is no part of the content.

    SQLite's log keeps the fields in this order: a new one comes last and has a default.
    """

    id: str
    source: str
    type: str
    version: int = 1
    subject: str | None = None
    time: str | None = None
    time_stamped: bool = False
    attributes: Mapping[str, AttributeValue] = NO_ATTRIBUTES
    data: bytes | None = None

    @property
    def dataversion(self) -> int:
        """The version that the data is of."""
        return self.version

    @property
    def stored_version(self) -> int:
        """The version that was written; another than `dataversion` if the data was brought to that."""
        return self.version

    @property
    def content_type(self) -> str | None:
        return self._text("datacontenttype")

    @property
    def correlation_id(self) -> str | None:
        return self._text("correlationid")

    @property
    def causation_id(self) -> str | None:
        return self._text("causationid")

    def _text(self, name: str) -> str | None:
        value = self.attributes.get(name)
        return value if isinstance(value, str) else None


class AdaptedEnvelope(Envelope, frozen=True, kw_only=True, gc=False, array_like=True):
    """An envelope as a reader of another version sees it: `version` and `data` are the reader's. It is never kept."""

    written: int = 1

    @property
    def stored_version(self) -> int:
        return self.written


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An envelope in the log. `recorded` is when it was appended, in microseconds since 1970 (UTC)."""

    position: int
    recorded: int
    envelope: Envelope
