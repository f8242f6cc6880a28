"""`events.lock.json`: what was published of each type, version by version: kept in the repository, reviewed like code.

A published version never changes. One that is not published may be written anew, so that developing needs no flag.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tidings.errors import DeclarationError, SchemaChangedError
from tidings.events.declaration import Declared, declared
from tidings.versions.canonical import sha256_of
from tidings.versions.engine import Schema
from tidings.versions.schemas import schema_of

NAME = "events.lock.json"
FORM = 1


class LockedVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version. `sha256`: of the schema's canonical form. `fixtures`: the hash of all of them, "" for none.

    `published`: others may have it by now, so that it never changes again. `since`: the day it was first locked.
    `verdicts`: by an earlier version, what `reads` (this one reads that one) and `is_read` (that one reads this one)
    are: yes, no, unknown.
    """

    schema: dict[str, Any]
    sha256: str
    fixtures: str = ""
    semantic_change: bool = False
    published: bool = False
    since: str = ""
    verdicts: dict[str, dict[str, str]] = {}


class LockedType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One type. `owner`: the service that emits it, "" if none says so. `reserved`: names of members that were."""

    owner: str = ""
    reserved: list[str] = []
    versions: dict[str, LockedVersion] = {}

    def locked(self) -> dict[int, LockedVersion]:
        """Return the versions by number, in order."""
        return {number: self.versions[str(number)] for number in sorted(map(int, self.versions))}


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `form`: of this layout."""

    form: int = FORM
    types: dict[str, LockedType] = {}

    def schemas(self) -> dict[str, dict[int, Schema]]:
        """Return the schema of each version, by type."""
        return {
            type: {number: each.schema for number, each in found.locked().items()} for type, found in self.types.items()
        }


def read_lock(path: Path) -> Lock:
    """Return what the file says. DeclarationError if it is not there, is no lock file, or was changed by hand."""
    try:
        lock = msgspec.json.decode(path.read_bytes(), type=Lock)
        numbers = [number for found in lock.types.values() for number in found.versions]
    except FileNotFoundError:
        raise DeclarationError(f"there is no {path}: write it with `tidings versions lock`") from None
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise DeclarationError(f"{path} is no lock file: {error}; take it from your version control") from error
    if lock.form != FORM or any(not number.isdecimal() or str(int(number)) != number for number in numbers):
        raise DeclarationError(f"{path} was written by another release of tidings: this one reads form {FORM}")
    for type, found in lock.types.items():
        for number, each in found.versions.items():
            if sha256_of(each.schema) != each.sha256:
                raise DeclarationError(
                    f"{path}: the schema of {type} version {number} is not what its sha256 says: take the file from "
                    "your version control, and change the class instead"
                )
    return lock


def text_of(lock: Lock) -> str:
    """Return the file's text: keys sorted, indented by two, so that a change of one member is one line."""
    return json.dumps(msgspec.to_builtins(lock), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def told_by(path: Path, classes: Iterable[type]) -> Mapping[str, Mapping[int, Schema]]:
    """Return the schemas of a program's lock file. SchemaChangedError if a published one is not what its class says."""
    lock = read_lock(path)
    for cls in classes:
        why = changed(lock, declared(cls))
        if why:
            raise SchemaChangedError(why)
    return lock.schemas()


def changed(lock: Lock, each: Declared) -> str:
    """Return why a class is not what was published under its version, in one sentence; "" if it is."""
    found = lock.types.get(each.type)
    kept = None if found is None else found.versions.get(str(each.version))
    if kept is None or not kept.published:
        return ""
    now = sha256_of(schema_of(each.cls))
    if now == kept.sha256:
        return ""
    return (
        f"{each.type} version {each.version} is published with the schema {kept.sha256[:12]}, and "
        f"{each.cls.__qualname__} has {now[:12]}: declare the change as version {each.version + 1}, and leave this one"
    )
