"""What a write must be before it is queued: within the log's limits, of text that can be kept, each id once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidings.errors import Conflict, EnvelopeError, EnvelopeTooLargeError
from tidings.events.codec import pointer
from tidings.events.content import content_hash
from tidings.events.envelope import Envelope
from tidings.events.rules import is_kept
from tidings.log.conflicts import refused
from tidings.log.driver import Facts, Receipt
from tidings.log.flush import Identity

_OVERHEAD = 256  # what an envelope holds beside its data, on average
_NOT_KEPT = "it holds U+0000 or half of a surrogate pair, which no log keeps"


def measured(envelopes: Sequence[Envelope], facts: Facts) -> tuple[frozenset[Identity], int]:
    """Return the identities of the envelopes, and about how many bytes they are.

    All are looked at together, since each look at one of a thousand counts. EnvelopeTooLargeError, EnvelopeError.
    """
    if len(envelopes) == 1:
        found = _measured_alone(envelopes[0], facts)
        if found is not None:
            return found
    if len(envelopes) > facts.write_envelopes_max:
        raise EnvelopeTooLargeError(
            f"{len(envelopes):,} envelopes in one append are more than the limit of {facts.write_envelopes_max:,}: "
            "append them in parts"
        )
    sizes = [len(envelope.data) for envelope in envelopes if envelope.data is not None]
    if sizes and max(sizes) > facts.envelope_bytes_max:
        why = f"{max(sizes):,} bytes of data are more than the log's limit of {facts.envelope_bytes_max:,}"
        raise EnvelopeTooLargeError(why, errors=[("/data", why)])
    identities = frozenset([(envelope.source, envelope.id) for envelope in envelopes])
    texts = [text for identity in identities for text in identity]
    texts += [envelope.subject for envelope in envelopes if envelope.subject is not None]
    texts += {envelope.type for envelope in envelopes}
    text = "".join(texts)
    if not text.isascii() or "\x00" in text:
        for envelope in envelopes:
            _check_texts(envelope)
    return identities, sum(sizes) + len(text) + _OVERHEAD * len(envelopes)


def _measured_alone(envelope: Envelope, facts: Facts) -> tuple[frozenset[Identity], int] | None:
    """Return the same of one at a third of the cost; None if it has to be looked at more closely."""
    text = "".join((envelope.source, envelope.id, envelope.subject or "", envelope.type))
    size = 0 if envelope.data is None else len(envelope.data)
    if size > facts.envelope_bytes_max or not text.isascii() or "\x00" in text:
        return None
    return frozenset(((envelope.source, envelope.id),)), size + len(text) + _OVERHEAD


def check_expected(subjects: Iterable[str]) -> None:
    """EnvelopeError if one of the subjects of which something is expected can stand in no log."""
    if not all(map(is_kept, subjects)):
        raise EnvelopeError(f"expected: a subject: {_NOT_KEPT}", errors=[("/expected", _NOT_KEPT)])


def _check_texts(envelope: Envelope) -> None:
    for name in ("id", "source", "type", "subject"):
        text = getattr(envelope, name) or ""
        if not is_kept(text):
            raise EnvelopeError(f"{name}: {_NOT_KEPT}", errors=[(pointer(name), _NOT_KEPT)])


def without_repeats(envelopes: Sequence[Envelope]) -> tuple[tuple[Envelope, ...], list[int]]:
    """Return each envelope once, and for each one that was given, which of those it is.

    ConflictError if two of them have one id and different content.
    """
    places: dict[Identity, int] = {}
    kept: list[Envelope] = []
    which: list[int] = []
    for envelope in envelopes:
        place = places.setdefault((envelope.source, envelope.id), len(kept))
        if place == len(kept):
            kept.append(envelope)
        else:
            _check_same(kept[place], envelope)
        which.append(place)
    return tuple(kept), which


def with_repeats(receipt: Receipt, which: Sequence[int]) -> Receipt:
    """Return the receipt of all envelopes from that of each once; a repeat is known by the first of its kind."""
    positions = tuple([receipt.positions[place] for place in which])
    if receipt.outcome == "duplicate":
        return Receipt(outcome="duplicate", positions=positions)
    seen: set[int] = set()
    known: list[int] = []
    for place, unique in enumerate(which):
        if unique in seen or unique in receipt.known:
            known.append(place)
        seen.add(unique)
    return Receipt(outcome=receipt.outcome, positions=positions, known=frozenset(known))


def _check_same(first: Envelope, second: Envelope) -> None:
    kept, given = content_hash(first), content_hash(second)
    if kept != given:
        raise refused(
            Conflict(
                kind="id",
                position=0,
                source=first.source,
                id=first.id,
                kept_hash=kept.hex(),
                given_hash=given.hex(),
            )
        )
