"""Whether one version of an event can be read as another: can the reader take everything that the writer can write?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from tidings.versions import engine
from tidings.versions.engine import Answer, Schema
from tidings.versions.structure import covers_by_structure
from tidings.versions.tags import tagged, untagged
from tidings.versions.walks import Walked, reader_open, writer_closed
from tidings.versions.witness import witnesses

Reading = Literal["strict", "friendly"]
"""`strict`: the schemas as they are written. `friendly`: as tidings' codec reads and writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`unknown` counts as no. `witness`: what the writer can write and the reader refuses, where it was found.

    `refused`: the schema of all that is refused, where it can be told.
    """

    answer: Answer
    has_witness: bool = False
    witness: Any = None
    refused: Schema | None = None


def judge(reader: Schema, writer: Schema, reading: Reading = "friendly") -> Verdict:
    """Judge an ordered pair. Only a proof makes it `yes`, only a witness or the engine's own no makes it `no`."""
    if reader == writer:
        return Verdict(answer="yes")
    taken, written = tagged(reader), tagged(writer)
    answer: Answer | None = None
    if reading == "friendly":
        opened, closed = reader_open(taken), writer_closed(written)
        taken, written = opened.schema, closed.schema
        if _differs(opened, closed):
            return _by_witness(taken, written)
        # Everything covers a writer that can write nothing, and that it cannot may be the closing's doing.
        answer = None if engine.can_be_met(written) == "yes" else "unknown"
    answer = answer or engine.covers(taken, written)
    if answer == "unknown" and covers_by_structure(taken, written):
        return Verdict(answer="yes")
    if answer == "no":
        return replace(_by_witness(taken, written), answer="no", refused=engine.refused(taken, written))
    return Verdict(answer="yes") if answer == "yes" else _by_witness(taken, written)


def _differs(opened: Walked, closed: Walked) -> bool:
    """Say whether something could not be rewritten, unless it is the same on both sides."""
    return opened.left != closed.left


def _by_witness(reader: Schema, writer: Schema) -> Verdict:
    for value in witnesses(reader, writer):
        if engine.is_valid(writer, value) and not engine.is_valid(reader, value):
            return Verdict(answer="no", has_witness=True, witness=untagged(value))
    return Verdict(answer="unknown")
