"""Random headers and bodies for every preset's verifier: `python -m tests.unit.webhooks.receive.fuzz` feeds a million.

Nothing of it may raise, and nothing be accepted.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterable
from typing import get_args

from tests.unit.webhooks.receive.deliveries import AT_S, DELIVERIES, PUBLIC_URL, keys_of
from tidings.webhooks.receive.given import FORM, Given
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.places import Header
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.verdict import Reason, Rejected, RequestFacts
from tidings.webhooks.receive.verify import Verifier

REASONS = set(get_args(Reason))
Raw = list[tuple[bytes, bytes]]


def names_of(preset: Preset) -> list[bytes]:
    """Return the headers that its schemes read."""
    schemes = preset.schemes
    places = [place for each in schemes for place in (each.signature, each.timestamp, each.id, each.key_name)]
    return sorted({place.name.encode() for place in places if isinstance(place, Header)})


NAMES = sorted({name for preset in PRESETS.values() for name in names_of(preset)} | {b"content-type", b"x", b""})
PIECES = [
    b"v1,",
    b"v1a,",
    b"t=",
    b"ts=",
    b"h1=",
    b"v1=",
    b"v0=",
    b"sha256=",
    b"sha1=",
    b",",
    b";",
    b" ",
    b"=",
    b".",
    b"-",
    b"Basic ",
    b"\x00",
    b"\xff",
    "\u0661".encode(),
    b"AAAA",
    b"0" * 64,
    b"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    b"%",
    b"%zz",
    str(AT_S).encode(),
    str(AT_S * 1000).encode(),
    b"2026-05-04T10:11:12Z",
    b"99999999999999999999",
    FORM.encode(),
]
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"{",
    b"[" * 200,
    b'{"a":' * 100,
    b"\xff\xfe",
    b"a=b&a=c",
    b"payload=%7B%7D",
    b'"\\ud800"',
    b'{"value":[{"clientState":null}]}',
    b'{"value":[{"clientState":"x"}],"value":1}',
    b'{"value":{}}',
    b'{"notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":"AAAA"}}}]}',
    b'{"webhookTimestamp":1e400}',
    b"-0",
    b"1" * 5000,
    *(delivery.body for name, delivery in DELIVERIES.items() if name != "graph"),
]


def held_by(preset: Preset) -> list[Key]:
    return [key for scheme in preset.schemes for key in keys_of(scheme)[1]]


KEYS = {name: held_by(preset) for name, preset in PRESETS.items()}


VERIFIERS = {name: Verifier(preset.schemes, KEYS[name]) for name, preset in PRESETS.items()}


def refuses(preset: Preset, headers: Raw, body: bytes, query: bytes) -> str:
    """Have a request judged; return why it is refused, as it must be."""
    request = RequestFacts(query=query, public_url=PUBLIC_URL, settings={"webhook_id": "w"})
    verdict = VERIFIERS[preset.name].judge(Given(headers, body, request), AT_S * 1_000_000)
    assert isinstance(verdict, Rejected), (preset.name, headers, body, query)
    assert verdict.reason in REASONS
    return verdict.reason


def random_case(source: random.Random) -> tuple[Raw, bytes, bytes]:
    def some(pieces: Iterable[bytes], most: int) -> bytes:
        known = list(pieces)
        return b"".join(
            source.choice(known) if source.random() < 0.8 else source.randbytes(source.randrange(6))
            for _ in range(source.randrange(most + 1))
        )

    headers = [(source.choice(NAMES), some(PIECES, 5)) for _ in range(source.randrange(7))]
    if source.random() < 0.02:
        headers += [(source.choice(NAMES), source.choice(PIECES) * source.randrange(5_000))]
    body = source.choice(BODIES) if source.random() < 0.7 else some([*BODIES, *PIECES], 3)
    return headers, body, some([b"token=", b"bodySHA256=", b"&", b"%", b"x", b"\xff"], 4)


def random_value(source: random.Random) -> bytes:
    """Return a header's value: mostly of one or two pieces, as a signature is."""
    return b"".join(source.choice(PIECES) for _ in range(source.randint(1, 4)))


def feed(cases: int, seed: int) -> Counter[str]:
    """Feed so many random requests to the verifiers, each in its turn; return how many were refused for what."""
    source, presets = random.Random(seed), list(PRESETS.values())
    reasons: Counter[str] = Counter()
    for case in range(cases):
        preset = presets[case % len(presets)]
        headers, body, query = random_case(source)
        if case % 2:  # each header that its verifier looks for, with something in it
            headers += [(name, random_value(source)) for name in names_of(preset)]
        if case % 4 == 0:  # a request that a provider made, with something of it broken
            headers = [*DELIVERIES[source.choice(presets).name].headers, *headers]
        reasons[refuses(preset, headers, body, query)] += 1
    return reasons


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    begun = time.perf_counter()
    reasons = feed(given.cases, given.seed)
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
    print(
        f"{reasons.total():,} requests to {len(PRESETS)} verifiers, seed {given.seed}: nothing raised, "
        f"nothing accepted, in {time.perf_counter() - begun:.0f} s ({told})"
    )


if __name__ == "__main__":
    main()
