"""What is told of an attempt once its result is written: events in the log, a line, a count. Pure but for the line."""

from __future__ import annotations

import logging

from tidings.events.envelope import Envelope
from tidings.events.identity import uuid7
from tidings.ports import Ports
from tidings.store.endpoint_deliveries import Result, Settled
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.operational import Operational, said
from tidings.webhooks.deliver.outcome import FAILING_ATTEMPT
from tidings.webhooks.deliver.sendings import Sending

EXHAUSTED = "exhausted"
ID_BITS = 74
_WORDS = {"due": "retry"}
_LEVELS = {"delivered": logging.DEBUG, "due": logging.WARNING, "dead": logging.ERROR, "held": logging.WARNING}
_log = logging.getLogger("tidings.endpoints")


def is_told(sending: Sending, settled: Settled) -> bool:
    """Say whether `events_about` has anything to tell."""
    if settled.result.state == "delivered" and settled.before.condition.state == settled.after.condition.state:
        return False
    return bool(_said_of(sending, settled))


def events_about(sending: Sending, settled: Settled, ports: Ports) -> list[Envelope]:
    """Return what tidings itself says of an attempt that ended so; nothing of one that told what tidings says."""
    now, endpoint = ports.clock.now_us(), settled.after.id
    return [
        said(type, endpoint, id=uuid7(now, ports.random.getrandbits(ID_BITS)), now=now, **more)
        for type, more in _said_of(sending, settled)
    ]


def _said_of(sending: Sending, settled: Settled) -> list[tuple[Operational, dict[str, object]]]:
    if sending.is_operational:
        return []
    result, attempt = settled.result, sending.first.attempt
    about = {"delivery": sending.key, "attempt": attempt, "outcome": result.outcome}
    found: list[tuple[Operational, dict[str, object]]] = []
    if result.state == "due" and result.is_spent and attempt == FAILING_ATTEMPT:
        found.append(("endpoint.failing", about))
    if result.state == "dead" and result.reason == EXHAUSTED:
        found += [("delivery.exhausted", {**about, "delivery": each.delivery.key}) for each in sending.claimed]
    changed = health.told(settled.before.condition.state, settled.after.condition.state)
    if changed is not None:
        found.append((changed, {"reason": settled.after.condition.why, **about}))
    return found


def word_of(result: Result) -> str:
    """Return how a result is counted: delivered, retry, dead, held, expired or cancelled."""
    return _WORDS.get(result.state, result.state)


def tell(sending: Sending, settled: Settled) -> None:
    """Write the line of an attempt, without anything of its body, its URL or its headers."""
    result = settled.result
    level = _LEVELS.get(result.state, logging.INFO)
    if not _log.isEnabledFor(level):
        return
    about = {"attempt": sending.first.attempt, "outcome": word_of(result), "position": sending.first.delivery.position}
    if len(sending.entries) == 1:
        envelope = sending.entries[0].envelope
        about |= {"event_type": envelope.type, "event_id": envelope.id, "subject": envelope.subject}
    why = result.error or result.reason or result.outcome
    _log.log(level, "delivery %s: %s (%s)", sending.key, word_of(result), why, extra=about)


def tell_of_another_body(sending: Sending) -> None:
    """Report that what is sent is no longer what was sent first: of the same members, under the same `webhook-id`."""
    why = "what writes it has changed"
    if sending.first.batch is not None:
        why += ", or some of its batch do not go with it"
    _log.warning("delivery %s has another body than in its first attempt: %s", sending.key, why)
