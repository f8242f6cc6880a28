"""Whether the steps between versions join: checked whole when a program starts, and told in one report.

A circle cannot be said: an upcaster leads up by one, a downcaster down by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tidings.errors import TransformerChainError
from tidings.events.transformers import Transformer
from tidings.versions.lineage import Lineage


def check_chains(lineages: Iterable[Lineage]) -> None:
    """TransformerChainError, with every fault there is."""
    faults = [fault for lineage in lineages for fault in faults_of(lineage)]
    if faults:
        raise TransformerChainError(faults)


def faults_of(lineage: Lineage) -> tuple[str, ...]:
    """Return what is wrong with one type's steps, one sentence each."""
    if not lineage.transformers and len(lineage.versions) == 1 and not lineage.semantic:
        return ()
    return (*_doubled(lineage), *_outside(lineage), *_gaps(lineage), *_by_hand(lineage), *_silent(lineage))


def _doubled(lineage: Lineage) -> Iterator[str]:
    seen: dict[tuple[int, int], Transformer] = {}
    for each in lineage.transformers:
        other = seen.setdefault(each.edge, each)
        if other is not each:
            yield (
                f"{lineage.type}: {other} and {each} both lead from version {each.from_version} to {each.to_version}: "
                "keep one of them"
            )


def _outside(lineage: Lineage) -> Iterator[str]:
    for each in lineage.transformers:
        if not 1 <= each.to_version <= lineage.newest or each.from_version > lineage.newest:
            yield (
                f"{lineage.type}: {each} leads from version {each.from_version} to {each.to_version}, but the versions "
                f"are 1 to {lineage.newest}: correct its from_version, or declare the class of that version"
            )


def _gaps(lineage: Lineage) -> Iterator[str]:
    """Yield the edges that are missing on the way from the oldest version to a class."""
    missing: set[int] = set()
    for version in lineage.versions:
        if version in lineage.natives or version > max(lineage.natives):
            continue
        target = min(native for native in lineage.natives if native > version)
        missing |= {each for each in range(version, target) if lineage.step(each, each + 1) is None}
    for each in sorted(missing):
        yield (
            f"{lineage.type}: no step leads from version {each} to {each + 1}: write an upcaster with "
            f"from_version={each}, since what was written in it may be read again"
        )


def _by_hand(lineage: Lineage) -> Iterator[str]:
    written = {each.edge for each in lineage.transformers}
    for version in sorted(lineage.semantic):
        for edge in ((version - 1, version), (version, version - 1)):
            if version > 1 and edge not in written:
                kind = "an upcaster" if edge[0] < edge[1] else "a downcaster"
                yield (
                    f"{lineage.type}: version {version} has semantic_change=True, so nothing follows from its shape: "
                    f"write {kind} with from_version={edge[0]}"
                )


def _silent(lineage: Lineage) -> Iterator[str]:
    for each in lineage.transformers:
        down = each.to_version < each.from_version
        told = lineage.schema(each.from_version) is not None and lineage.schema(each.to_version) is not None
        if down and told and not each.loses and lineage.reads(each.to_version, each.from_version) != "yes":
            yield (
                f"{lineage.type}: {each} leads down from version {each.from_version} to {each.to_version}, which "
                'cannot hold all of it: name what is lost, as in loses=("owner.kind",)'
            )
