"""What is said of a version that ends: to who publishes it, and with each event of it that is shown. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

from tidings.events.envelope import AttributeValue
from tidings.events.timestamp import time_text
from tidings.store.versions import EventVersion

SECOND_US = 1_000_000
_NO_LINK = str.maketrans({"<": "%3C", ">": "%3E", '"': "%22", " ": "%20"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One version that is deprecated, or over. `since`, `sunset`: µs since 1970; `sunset` None: nobody said when.

    `is_over`: it is taken from nobody outside any more. `successor`: the next version that may be published and does
    not end, if there is one.
    """

    type: str
    version: int
    since: int
    sunset: int | None = None
    migration: str = ""
    is_over: bool = False
    successor: int | None = None

    @property
    def attributes(self) -> Mapping[str, AttributeValue]:
        """Return the attributes of CloudEvents' `deprecation` extension."""
        said: dict[str, AttributeValue] = {"deprecated": True, "deprecationfrom": time_text(self.since)}
        if self.sunset is not None:
            said["deprecationsunset"] = time_text(self.sunset)
        if self.migration:
            said["deprecationmigration"] = self.migration
        return said

    def headers(self, *, root: str = "") -> tuple[tuple[str, str], ...]:
        """Return `deprecation` (RFC 9745), `sunset` (RFC 8594), and `link` with the successor's schema (RFC 5829).

        `root`: the path below which the API is served.
        """
        found = [("deprecation", f"@{self.since // SECOND_US}")]
        if self.sunset is not None:
            found.append(("sunset", formatdate(self.sunset // SECOND_US, usegmt=True)))
        links = []
        if self.migration.isascii() and self.migration:
            page = self.migration.translate(_NO_LINK)
            links += [f'<{page}>; rel="deprecation"', f'<{page}>; rel="sunset"']
        if self.successor is not None:
            links.append(f'<{root}/schemas/{self.type}/{self.successor}>; rel="successor-version"')
        if links:
            found.append(("link", ", ".join(links)))
        return tuple(found)


Endings = Mapping[tuple[str, int], Ending]


def endings_of(versions: Iterable[EventVersion]) -> dict[tuple[str, int], Ending]:
    """Return what is said of those of these versions that end, or have ended."""
    rows = list(versions)
    going_on: dict[str, list[int]] = {}
    for each in rows:
        if each.life == "active" and each.is_produced:
            going_on.setdefault(each.type, []).append(each.version)
    return {
        (each.type, each.version): Ending(
            type=each.type,
            version=each.version,
            since=each.deprecated,
            sunset=each.sunset,
            migration=each.migration,
            is_over=each.life != "deprecated",
            successor=min((n for n in going_on.get(each.type, ()) if n > each.version), default=None),
        )
        for each in rows
        if each.life != "active" and each.deprecated is not None
    }
