"""Questions and their answers in words: as they stand on a command line, and in the first line of what is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tidings.errors import CallerError, NotFoundError
from tidings.operations.census import census
from tidings.operations.planner import KINDS, answered, ask, replayed
from tidings.operations.registering import may_register
from tidings.operations.versions import Workshop
from tidings.store.driver import StoreDriver
from tidings.versions.answer import Answer
from tidings.versions.census import consumer_of

WORDS: Mapping[str, tuple[str, ...]] = {
    "register": ("type", "version"),
    "switch": ("producer", "type", "version"),
    "retire-support": ("consumer", "type", "version"),
    "retire-transformer": ("type", "from", "to"),
    "rollback": ("service", "revision"),
    "replay": ("consumer", "after"),
    "retire": ("type", "version"),
}
NUMBERS = frozenset({"version", "from", "to", "after"})
_NO: Mapping[str, str] = {
    "can_register": "{type} {version} {may} be registered",
    "can_switch_producer": "{producer} {may} switch to {type} {version}",
    "can_retire_consumer_support": "{consumer} {may} drop {type} {version}",
    "can_retire_transformer": "the step of {type} from {from} to {to} {may} go",
    "can_rollback_consumer": "{service} {may} go back to {revision}",
    "can_replay": "{consumer} {may} read again",
    "can_retire": "{type} {version} {can} be retired",
    "version-opened": "{type} {version} {may} open",
    "version-closed": "{type} {version} {may} close",
    "version-deprecated": "{type} {version} {may} be deprecated",
    "version-kept": "{type} {version} {may} go on",
    "version-retired": "{type} {version} {can} be retired",
}


async def asked_by_words(
    store: StoreDriver, kind: str, words: Sequence[str], *, assume: Collection[str] = (), code: Workshop | None = None
) -> Answer:
    """Answer a question that is given in words. CallerError; NotFoundError. The rest as `asked` has it."""
    names = WORDS.get(kind)
    if names is None:
        raise NotFoundError("predicate", kind, KINDS)
    if len(words) != len(names):
        raise CallerError(f"{kind} takes {' '.join(name.upper() for name in names)}")
    given = {name: _read(name, word) for name, word in zip(names, words, strict=True)}
    return await asked(store, kind, given, assume=assume, code=code)


async def asked(
    store: StoreDriver,
    kind: str,
    given: Mapping[str, Any],
    *,
    assume: Collection[str] = (),
    code: Workshop | None = None,
) -> Answer:
    """Answer a question about what is known now; a replay is one of the entries behind a position, `after`.

    `assume`: consumers that count as they ran last, if nothing of them runs. `code`: what `register` is asked of.
    """
    known = await census(store, assume=assume)
    if kind == "register":
        if code is None:
            raise CallerError("register is asked of code: name the application that has the class")
        found = may_register(known, code, given["type"], given["version"])
        return answered({"kind": "can_register", **given}, found, known)
    if given.get("consumer") is not None:
        readers = {each.consumer for each in known.leases if each.role == "accept"} | known.transit.keys()
        if consumer_of(given["consumer"]) not in readers:
            raise NotFoundError("consumer", given["consumer"], readers)
    if kind != "replay":
        return ask(known, kind, given)
    if given.get("after") is None or given.get("consumer") is None:
        raise CallerError("replay needs consumer, after", errors=[("/after", "missing")])
    entries = await replayed(store, given["after"])
    return ask(known, kind, {"consumer": given["consumer"], "entries": entries})


def titled(answer: Answer) -> str:
    """Return what an answer is about, as a sentence that says it."""
    is_ok = answer.answer == "ok"
    words = {name: value or "whoever is outside" for name, value in answer.question.items()}
    return _NO[answer.question["kind"]].format(
        **words, may="may" if is_ok else "may not", can="can" if is_ok else "cannot"
    )


def _read(name: str, word: str) -> str | int:
    if name not in NUMBERS:
        return word
    if not (word.isascii() and word.isdigit()):
        raise CallerError(f"{name}: {word[:40]!r} is no whole number")
    return int(word)
