"""Chapter "dedupe": the log's answers equal an oracle's, a plain table of what was kept."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from tidings.conformance.harness import LogHarness
from tidings.conformance.samples import event, everything
from tidings.events.content import content_hash
from tidings.events.envelope import Envelope
from tidings.events.identity import derived_id, uuid7
from tidings.log.driver import LogDriver, Position, Receipt, Write

SEEDS = range(10)
STEPS = 60
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NEAR = ("{}", "{} ", " {}", "{}\u00e9", "{}e\u0301", "{}\U0001f701", "0{}", "+{}", "{}.0", "{{{}}}", "urn:uuid:{}")
BIG = (0, 1, (1 << 16) - 1, 1 << 16, (1 << 48) - 1, 1 << 48, 1 << 63, 1 << 64, 1 << 128)


def any_id(draw: Random) -> str:
    """Return an id of any shape, now and then one that was drawn before: time-shaped, opaque, nearly another one."""
    now = 1_700_000_000_000_000 + draw.randrange(50) * 1_000_000
    number = draw.choice((draw.randrange(20), draw.choice(BIG) + draw.randrange(-1, 2)))
    id = draw.choice(
        (
            uuid7(now, draw.getrandbits(76) if draw.random() < 0.5 else draw.randrange(4)),
            derived_id(now, "suite", str(draw.randrange(4))),
            f"{draw.getrandbits(128):032x}" if draw.random() < 0.5 else f"{draw.randrange(4):032x}",
            f"{draw.getrandbits(32):08x}-0000-4000-8000-{draw.randrange(4):012x}",
            "01HF" + "".join(draw.choices(CROCKFORD, k=22)) if draw.random() < 0.5 else "01HF" + "0" * 22,
            str(number),
            draw.choice(("order", "Order", "ORDER", "straße", "STRASSE", "İ", "i̇", "ﬁ", "fi", "a" * 256)),
        )
    )
    id = draw.choice((str.upper, str.lower, str, str, str))(id)
    return draw.choice(NEAR).format(id)[:256] if draw.random() < 0.3 else id


class Oracle:
    """What a table with UNIQUE (source, id) would answer."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[Position, bytes]] = {}

    def judge(self, write: Write, receipt: Receipt) -> None:
        """Compare the receipt with what has to be answered, and keep what the write added."""
        known = [self.kept.get((envelope.source, envelope.id)) for envelope in write.envelopes]
        hashes = [content_hash(envelope) for envelope in write.envelopes]
        clashing = [pair for pair, hash in zip(known, hashes, strict=True) if pair is not None and pair[1] != hash]
        if clashing:
            assert receipt.outcome == "conflict"
            assert receipt.conflict is not None
            assert receipt.conflict.position in {position for position, _ in clashing}
            return
        assert receipt.outcome == ("appended" if None in known else "duplicate")
        head = max((position for position, _ in self.kept.values()), default=0)
        for envelope, pair, hash, position in zip(write.envelopes, known, hashes, receipt.positions, strict=True):
            if pair is None:
                assert position > head
                self.kept[envelope.source, envelope.id] = (position, hash)
            else:
                assert position == pair[0]

    def read(self) -> list[tuple[Position, str, str]]:
        """Return what the log must hold."""
        return sorted((position, source, id) for (source, id), (position, _) in self.kept.items())


def any_flush(draw: Random, before: Sequence[Envelope]) -> list[Write]:
    """Return a flush of new ids, of repeats and of other contents, each id once."""
    seen: set[tuple[str, str]] = set()
    writes = []
    for _ in range(draw.choice((1, 1, 5, 40))):
        envelopes = []
        for _ in range(draw.choice((1, 1, 1, 4))):
            drawn = event(any_id(draw), source=draw.choice(("s", "S", "s/1")), data=b"%d" % draw.randrange(3))
            envelope = draw.choice(before) if before and draw.random() < 0.3 else drawn
            if (envelope.source, envelope.id) not in seen:
                seen.add((envelope.source, envelope.id))
                envelopes.append(envelope)
        if envelopes:
            writes.append(Write(envelopes=tuple(envelopes)))
    return writes


async def compare(drivers: Sequence[LogDriver], oracle: Oracle, draw: Random, *, steps: int) -> None:
    """Append random flushes through any of the drivers; compare each answer and the log with the oracle."""
    before: list[Envelope] = []
    for _ in range(steps):
        writes = any_flush(draw, before)
        receipts = await draw.choice(drivers).append(writes)
        for write, receipt in zip(writes, receipts, strict=True):
            oracle.judge(write, receipt)
            before += write.envelopes
    found = await everything(drivers[0])
    assert [(entry.position, entry.envelope.source, entry.envelope.id) for entry in found] == oracle.read()


class Deduplicating:
    """A mixin of `LogSuite`."""

    @pytest.mark.parametrize("seed", SEEDS)
    async def test_every_answer_is_the_one_of_a_unique_table(
        self, driver: LogDriver, harness: LogHarness, seed: int
    ) -> None:
        draw = Random(seed)  # noqa: S311 - a seed makes the same history again
        await compare([driver], Oracle(), draw, steps=STEPS * harness.scale)
