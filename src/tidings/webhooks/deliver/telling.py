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
from tidings.webhooks.deliver.records import health_of
from tidings.webhooks.deliver.sendings import Sending

EXHAUSTED = "exhausted"
ID_BITS = 74
_WORDS = {"delivered": "delivered", "due": "retry", "dead": "dead", "held": "held", "expired": "expired"}
_LEVELS = {"delivered": logging.DEBUG, "due": logging.WARNING, "dead": logging.ERROR, "held": logging.WARNING}
_log = logging.getLogger("tidings.endpoints")


def events_about(sending: Sending, settled: Settled, ports: Ports) -> list[Envelope]:
    """Return what tidings itself says of an attempt that ended so; nothing of one that told what tidings says."""
    if sending.is_operational:
        return []
    now, result, endpoint = ports.clock.now_us(), settled.result, settled.after.id
    found = []

    def tell(type: Operational, **more: object) -> None:
        id = uuid7(now, ports.random.getrandbits(ID_BITS))
        found.append(said(type, endpoint, id=id, now=now, **more))

    about = {"delivery": sending.key, "attempt": sending.first.attempt, "outcome": result.outcome}
    if result.state == "due" and result.is_spent and sending.first.attempt == FAILING_ATTEMPT:
        tell("endpoint.failing", **about)
    if result.state == "dead" and result.reason == EXHAUSTED:
        for each in sending.claimed:
            tell("delivery.exhausted", **{**about, "delivery": each.delivery.key})
    changed = health.told(*(health_of(each.condition, now=now) for each in (settled.before, settled.after)))
    if changed is not None:
        tell(changed, why=settled.after.condition.why, **about)
    return found


def word_of(result: Result) -> str:
    """Return how a result is counted: delivered, retry, dead, held or expired."""
    return _WORDS[result.state]


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


def tell_of_another_body(key: str) -> None:
    """Report that what is sent is no longer what was sent first, under the same `webhook-id`."""
    _log.warning("delivery %s has another body than in its first attempt: what writes it has changed", key)
