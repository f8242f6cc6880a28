"""An endpoint out of the JSON object that configures it. Every fault is told at once, each with its pointer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from tidings.errors import EndpointRefusedError, InvalidConfigurationError, PatternError
from tidings.events.codec import pointer
from tidings.events.patterns.grammar import compile_pattern
from tidings.webhooks.deliver import headers, legacy, target
from tidings.webhooks.deliver.addresses import ONLY_PUBLIC, Allowed
from tidings.webhooks.deliver.endpoint import RESERVED, SLOTS, Batch, Endpoint, Format, Ordering, Via
from tidings.webhooks.deliver.health import Health

Fault = tuple[str, str]
"""A JSON pointer (RFC 6901) and what is wrong there."""

SLOTS_MAX = 200
RATE_MAX = 6_000_000
BATCH_MIN, BATCH_MAX = 2, 500
BATCH_BYTES_MIN, BATCH_BYTES_MAX = 65_536, 1_048_576
LINGER_MAX_MS = 5_000
PINS_MAX = 1_000
VERSION_MAX = 2_147_483_647
MEMBERS = (
    "url", "via", "pattern", "pin", "format", "ordering", "slots", "reserved", "rate", "batch", "headers", "legacy",
)  # fmt: skip
_BATCH_MEMBERS = ("size", "bytes", "linger_ms")


def endpoint_of(members: Mapping[str, Any], *, id: str, health: Health, allowed: Allowed = ONLY_PUBLIC) -> Endpoint:
    """Return the endpoint that these members of a JSON object say.

    InvalidConfigurationError for members that are unknown, missing or break a rule; EndpointRefusedError if only the
    URL is at fault, in that nothing may be sent to it; PatternError if only the pattern is.
    """
    faults, wrong = _faults(members), _wrong_pattern(members.get("pattern"))
    url = members.get("url")
    why = target.fault_of(url, allowed) if isinstance(url, str) else None
    if wrong is not None:
        if not faults and not why:
            raise wrong
        faults += wrong.errors
    if faults:
        raise _invalid([*faults, *([("/url", why)] if why else [])])
    if why:
        raise EndpointRefusedError(f"url: {why}", errors=[("/url", why)])
    given = {name: value for name, value in members.items() if value is not None}
    if "batch" in given:
        given["batch"] = Batch(**given["batch"])
    if "legacy" in given:
        given["legacy"] = legacy.legacy_of(given["legacy"])
    given.setdefault("reserved", min(RESERVED, given.get("slots", SLOTS) - 1))
    endpoint = Endpoint(id=id, health=health, **given)
    legacy.check_beside(endpoint)
    return endpoint


def members_of(endpoint: Endpoint) -> dict[str, Any]:
    """Return the members of the JSON object that says the endpoint, with headers and the secret of `legacy`."""
    batch = endpoint.batch
    return {
        "url": endpoint.url or None,
        "via": endpoint.via,
        "pattern": dict(endpoint.pattern),
        "pin": dict(endpoint.pin),
        "format": endpoint.format,
        "ordering": endpoint.ordering,
        "slots": endpoint.slots,
        "reserved": endpoint.reserved,
        "rate": endpoint.rate,
        "batch": None if batch is None else {name: getattr(batch, name) for name in _BATCH_MEMBERS},
        "headers": dict(endpoint.headers),
        "legacy": None if endpoint.legacy is None else asdict(endpoint.legacy),
    }


def _invalid(faults: list[Fault]) -> InvalidConfigurationError:
    where, why = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return InvalidConfigurationError(f"{where}: {why}{more}", errors=faults)


def _faults(members: Mapping[str, Any]) -> list[Fault]:
    faults = [(pointer(name), f"there is no such member; there is {', '.join(MEMBERS)}") for name in _unknown(members)]
    given = {name: value for name, value in members.items() if name in MEMBERS and value is not None}
    if given.get("via") == "poll":
        faults += _faults_of_polled(given)
    elif not isinstance(given.get("url"), str):
        faults.append(("/url", "expected a URL such as https://example.com/hooks"))
    for name, choices in (
        ("format", get_args(Format)),
        ("ordering", get_args(Ordering)),
        ("via", get_args(Via)),
    ):
        if name in given and given[name] not in choices:
            faults.append((f"/{name}", f"expected one of {', '.join(choices)}"))
    faults += _faults_of_pace(given)
    faults += _faults_of_batch(given)
    faults += _faults_of_maps(given)
    if "legacy" in given:
        wrong = legacy.faults_of(given["legacy"], is_polled=given.get("via") == "poll")
        faults += [(f"/legacy{where}", why) for where, why in wrong]
    return faults


def _faults_of_polled(given: Mapping[str, Any]) -> list[Fault]:
    """Return what is said of how an endpoint is sent to that is not sent to."""
    usual = {"ordering": "none", "slots": SLOTS, "reserved": RESERVED}
    return [
        (f"/{name}", "an endpoint that is polled has none: leave it out")
        for name in ("url", "ordering", "slots", "reserved", "rate", "batch")
        if name in given and given[name] != usual.get(name)
    ]


def _wrong_pattern(pattern: Any) -> PatternError | None:
    """Return what is wrong with a pattern, with its place among the members."""
    if not isinstance(pattern, Mapping) or not pattern:  # an empty object: every event
        return None
    try:
        compile_pattern(pattern)
    except PatternError as error:
        return PatternError(f"/pattern{error.at}", error.code, error.why)
    return None


def _unknown(members: Mapping[str, Any]) -> list[str]:
    return [name[:64] for name in members if name not in MEMBERS]


def _faults_of_pace(given: Mapping[str, Any]) -> list[Fault]:
    faults: list[Fault] = []
    slots = given.get("slots", SLOTS)
    if not _is_whole(slots, 1, SLOTS_MAX):
        faults.append(("/slots", f"expected a whole number from 1 to {SLOTS_MAX}"))
    elif "reserved" in given and not _is_whole(given["reserved"], 0, slots - 1):
        faults.append(("/reserved", f"expected a whole number from 0 to {slots - 1}, one less than the slots"))
    if not _is_whole(given.get("rate", 1), 1, RATE_MAX):
        faults.append(("/rate", f"expected deliveries a minute, from 1 to {RATE_MAX:,}, or null for any number"))
    return faults


def _faults_of_batch(given: Mapping[str, Any]) -> list[Fault]:
    batch = given.get("batch")
    if batch is None:
        return []
    if not isinstance(batch, Mapping):
        return [("/batch", "expected an object with size, bytes and linger_ms, or null for single events")]
    known = ", ".join(_BATCH_MEMBERS)
    faults = [
        (f"/batch{pointer(name[:64])}", f"there is no such member; there is {known}")
        for name in batch
        if name not in _BATCH_MEMBERS
    ]
    bounds = {
        "size": (BATCH_MIN, BATCH_MAX),
        "bytes": (BATCH_BYTES_MIN, BATCH_BYTES_MAX),
        "linger_ms": (0, LINGER_MAX_MS),
    }
    for name, (least, most) in bounds.items():
        if (name in batch or name == "size") and not _is_whole(batch.get(name), least, most):
            faults.append((f"/batch/{name}", f"expected a whole number from {least:,} to {most:,}"))
    if given.get("format", "cloudevents") != "cloudevents":
        faults.append(("/batch", "only the format cloudevents has batches"))
    if given.get("ordering") == "fifo":  # each would wait for its followers, which wait for it
        faults.append(("/batch", "under the ordering fifo one goes after the other, so that there are no batches"))
    return faults


def _faults_of_maps(given: Mapping[str, Any]) -> list[Fault]:
    faults: list[Fault] = [
        (f"/{name}", "expected an object")
        for name in ("pattern", "pin", "headers")
        if not isinstance(given.get(name, {}), Mapping)
    ]
    pins = given.get("pin")
    if isinstance(pins, Mapping):
        if len(pins) > PINS_MAX:
            faults.append(("/pin", f"at most {PINS_MAX:,} types"))
        faults += [
            (f"/pin{pointer(name[:64])}", "expected a dataversion, a whole number from 1")
            for name, version in pins.items()
            if not _is_whole(version, 1, VERSION_MAX)
        ]
    own = given.get("headers")
    if isinstance(own, Mapping):
        faults += [(f"/headers{pointer(name[:64]) if name else ''}", why) for name, why in headers.faults_of(own)]
    return faults


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
