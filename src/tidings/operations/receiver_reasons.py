"""Why a verifier refuses a request, in sentences for the operator, who may see more than the sender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidings.events.timestamp import time_text
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.places import Header, Place, Query
from tidings.webhooks.receive.scheme import Scheme
from tidings.webhooks.receive.verdict import Accepted, Reason

REASONS: Mapping[Reason, str] = {
    "missing-header": "what the signature is in, or its time or id, is not there",
    "repeated-header": "what the signature is in, or its time or id, is there twice",
    "malformed-header": "what the signature is in is not written as the provider writes it",
    "malformed-timestamp": "its time is not written as the provider writes it",
    "too-old": "its signature is older than is taken: a clock is wrong, or it was caught and sent again",
    "too-new": "its signature is of a time that is still to come: a clock is wrong",
    "no-active-key": "none of the receiver's secrets holds at this time, or has the name that it gives",
    "no-matching-signature": "it is signed with another secret, or its bytes are not those that were signed",
    "unsupported-scheme": "the receiver's `public_url` or a setting is missing, without which nothing can be judged",
    "body-field-missing": "its body is no JSON, or lacks a member that is judged",
}
"""What each reason means, whichever receiver it is."""


def why_rejected(receiver: Receiver, given: Given, reason: Reason, at: int) -> str:
    """Return why a receiver refuses a request at this time, µs since 1970, with what to look at."""
    hint = ""
    if reason in ("missing-header", "repeated-header", "malformed-header"):
        hint = f"look at {_listed(_read(receiver.preset.schemes))}"
    elif reason in ("too-old", "too-new"):
        bounds = {scheme.tolerance for scheme in receiver.preset.schemes if scheme.tolerance is not None}
        most = ", ".join(f"{bound.total_seconds():.0f} s" for bound in sorted(bounds))
        hint = f"more than {most} from {time_text(at)[:19]}Z"
    elif reason == "no-matching-signature":
        hint = _other_bytes(receiver, given, at)
    return REASONS[reason] + (f" ({hint})" if hint else "")


def _read(schemes: Sequence[Scheme]) -> list[str]:
    """Return what schemes read of a request beside its body, each once."""
    places: list[Place | None] = []
    for scheme in schemes:
        places += [_place(scheme.signature), _place(scheme.timestamp), _place(scheme.id)]
    named = [_named(place) for place in places if place is not None]
    return list(dict.fromkeys(named))


def _place(place: object) -> Place | None:
    return place if isinstance(place, Header | Query) else None


def _named(place: Place) -> str:
    match place:
        case Header():
            return f"the header {place.name}"
        case Query():
            return f"the parameter {place.name}"
        case _:
            return f"the member {place.pointer}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names) if names else "its body"


@dataclass(frozen=True, slots=True)
class _Change:
    """Something that often happens to bytes between a sender and a file."""

    name: str
    ends: bytes
    instead: bytes


_CHANGES = (
    _Change("without the newline at its end", b"\n", b""),
    _Change("without the line end at its end", b"\r\n", b""),
    _Change("with a newline at its end", b"", b"\n"),
)


def _other_bytes(receiver: Receiver, given: Given, at: int) -> str:
    """Return which slight change of the body its signature fits; empty if it fits none that is tried."""
    for change in _CHANGES:
        if given.body.endswith(change.ends):
            body = given.body.removesuffix(change.ends) + change.instead
            verdict = receiver.judge(Given(given.headers, body, given.request), at)
            if isinstance(verdict, Accepted):
                return f"it fits the body {change.name}: an editor or a tool has changed the file"
    return ""
