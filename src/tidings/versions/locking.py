"""A lock file as the code says it now, beside what was locked before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidings.errors import SchemaChangedError
from tidings.versions.canonical import sha256_of
from tidings.versions.fixtures import Fixture, hash_of
from tidings.versions.lineage import Lineage
from tidings.versions.lockfile import Lock, LockedType, LockedVersion, changed


def locked(
    lineages: Mapping[str, Lineage],
    before: Lock,
    fixtures: Mapping[str, Sequence[Fixture]],
    owners: Mapping[str, str],
    *,
    day: str,
    publish: bool = False,
) -> Lock:
    """Return the new lock: versions that are not published are written anew, published ones stay as they are.

    `owners`: by type, the service that emits it. `day`: today. `publish`: from now on every version is. Names that a
    version has no more are reserved. SchemaChangedError if a published version is another one in the code.
    """
    types = dict(before.types)
    for type, lineage in lineages.items():
        for native in lineage.natives.values():
            if why := changed(before, native):
                raise SchemaChangedError(why)
        old = before.types.get(type, LockedType())
        versions = {
            str(version): made
            for version in lineage.versions
            if (made := _version(lineage, version, old, fixtures.get(type, ()), day=day, publish=publish)) is not None
        }
        reserved = sorted({*old.reserved, *_gone(lineage), *_declared(lineage)})
        types[type] = LockedType(
            owner=owners.get(type, old.owner), reserved=reserved, versions={**old.versions, **versions}
        )
    return Lock(types=types)


def _version(
    lineage: Lineage, version: int, old: LockedType, fixtures: Sequence[Fixture], *, day: str, publish: bool
) -> LockedVersion | None:
    schema, before = lineage.schema(version), old.versions.get(str(version))
    if schema is None:
        return before
    others = [each for each in lineage.versions if each < version and lineage.schema(each) is not None]
    semantic = version in lineage.semantic if version in lineage.natives else bool(before and before.semantic_change)
    return LockedVersion(
        schema=dict(schema),
        sha256=sha256_of(schema),
        fixtures=hash_of(fixtures, version),
        semantic_change=semantic,
        published=publish or bool(before and before.published),
        since=before.since if before and before.since else day,
        verdicts={
            str(each): {"reads": lineage.reads(version, each), "is_read": lineage.reads(each, version)}
            for each in others
        },
    )


def _gone(lineage: Lineage) -> set[str]:
    newest = set((lineage.schema(lineage.newest) or {}).get("properties", {}))
    earlier = (set((lineage.schema(each) or {}).get("properties", {})) for each in lineage.versions)
    return set().union(*earlier) - newest


def _declared(lineage: Lineage) -> set[str]:
    return {name for each in lineage.natives.values() for name in each.reserved}
