"""Endpoints: where webhooks go, how each fares, and what is done to its deliveries."""

from __future__ import annotations

from typing import Any

from tidings.events.timestamp import time_text
from tidings.faces.tokens import Tokens
from tidings.operations.endpoint_again import Again
from tidings.operations.endpoint_secrets import Made
from tidings.operations.endpoint_shown import Shown, ShownSecret
from tidings.store.endpoint_deliveries import Backlog


def endpoint_object(found: Shown) -> dict[str, Any]:
    """Return an endpoint. Its secrets are known by their ids, and its headers, which may hold some, by their names."""
    members = dict(found.members)
    headers = members.pop("headers")
    return {
        "endpoint": found.id,
        **members,
        "header_names": sorted(headers),
        "state": found.state,
        "reason": found.reason,
        "since": time_text(found.since),
        "failures": found.failures,
        "quiet_since": time_text(found.quiet_since),
        "last_success": _time(found.succeeded_at),
        "last_failure": _time(found.failed_at),
        "succeeded": found.succeeded,
        "failed": found.failed,
        **_backlog(found.backlog),
        "not_before": time_text(found.not_before) if found.not_before else None,
        "created": time_text(found.created),
        "version": found.version,
        "secrets": [secret_object(each) for each in found.secrets],
    }


def _backlog(backlog: Backlog) -> dict[str, Any]:
    return {
        "pending": backlog.pending,
        "held": backlog.held,
        "dead": backlog.dead,
        "oldest": _time(backlog.oldest),
        "next_at": _time(backlog.next_at),
    }


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(at)


def secret_object(secret: ShownSecret) -> dict[str, Any]:
    """Return what may be known of a secret. `until` is None for the newest."""
    return {"secret": secret.id, "since": time_text(secret.since), "until": _time(secret.until)}


def made_object(made: Made) -> dict[str, Any]:
    """Return an endpoint with its new secret in clear, for this once; of an Ed25519 key the public half, too."""
    return {**endpoint_object(made.endpoint), **_in_clear(made)}


def new_secret_object(made: Made) -> dict[str, Any]:
    """Return a new secret in clear, for this once."""
    [known] = [each for each in made.endpoint.secrets if each.id == made.secret_id]
    return {"endpoint": made.endpoint.id, **secret_object(known), **_in_clear(made)}


def tested_object(id: str, delivery: str) -> dict[str, Any]:
    """Return which delivery is the test of an endpoint."""
    return {"endpoint": id, "delivery": delivery}


def again_object(tokens: Tokens, done: Again) -> dict[str, Any]:
    """Return how many deliveries of which positions are made again, or would be. `run`: of a replay."""
    return {
        "endpoint": done.endpoint,
        "deliveries": done.count,
        "after": tokens.write(done.within.after),
        "to": tokens.write(done.within.to),
        "run": done.run,
        "dry_run": done.dry_run,
    }


def _in_clear(made: Made) -> dict[str, Any]:
    return {"signing_secret": made.secret, "public_key": made.public}
