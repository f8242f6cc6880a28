"""Chapter "notes": bytes in order of their keys, of a scope that one unit at a time holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tidings.conformance.store_samples import undone
from tidings.errors import RefusedError
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.note_store import Alike, Span

SCOPE, KIND = "till-orders", "floor"


def key(number: int) -> bytes:
    return number.to_bytes(2)


async def note(store: StoreDriver, **notes: bytes | None) -> None:
    async with store.unit() as unit:
        await unit.hold(SCOPE)
        await unit.note(SCOPE, KIND, {name.encode(): body for name, body in notes.items()})


class Noting:
    """A mixin of `StoreSuite`."""

    async def test_notes_come_back_in_the_order_of_their_keys(self, store: StoreDriver) -> None:
        many = {key(number): b"%d" % number for number in range(300)}
        async with store.unit() as unit:
            await unit.hold(SCOPE)
            await unit.note(SCOPE, KIND, dict(reversed(many.items())))
            assert await unit.notes_between(SCOPE, KIND) == sorted(many.items())
            assert await unit.noted(SCOPE, KIND, [*many, b"none"]) == many
        assert await store.notes_between(SCOPE, KIND) == sorted(many.items())
        some = await store.notes_between(SCOPE, KIND, after=key(7), upto=key(9))
        assert some == [(key(8), b"8"), (key(9), b"9")]
        assert await store.notes_between(SCOPE, KIND, limit=2) == [(key(0), b"0"), (key(1), b"1")]
        assert await store.notes_between(SCOPE, KIND, upto=key(5), limit=1, falling=True) == [(key(5), b"5")]

    async def test_notes_of_several_kinds_come_together(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            await unit.hold(SCOPE)
            for kind in ("floor", "open"):
                await unit.note(SCOPE, kind, {key(number): kind.encode() for number in range(5)})
            spans = [Span(kind, key(1), key(3)) for kind in ("open", "floor", "proof")]
            found = await unit.notes_within(SCOPE, [*spans, Span("floor", key(3)), Span("open", limit=1, falling=True)])
        assert found == [
            [(key(2), b"open"), (key(3), b"open")],
            [(key(2), b"floor"), (key(3), b"floor")],
            [],
            [(key(4), b"floor")],
            [(key(4), b"open")],
        ]

    async def test_notes_that_are_alike_to_what_they_are_compared_with_are_not_told(self, store: StoreDriver) -> None:
        part, joined = slice(2, 4), b"".join(bytes([n, 0, 255 - n, n]) for n in range(256))
        notes = {bytes([n, 0]): bytes([7, n, 255 - n, n, 7]) for n in range(256)}  # no text in any encoding
        others = {b"\x03": b"", b"\x03\x00": bytes([7, 3, 252, 4, 7]), b"\x03\x01": b"7", b"\xff\x00": b"\0"}
        async with store.unit() as unit:
            await unit.hold(SCOPE)
            await unit.note(SCOPE, KIND, dict(notes))

            async def found(alike: bytes, after: bytes | None = None, upto: bytes | None = None) -> Any:
                said = Alike(part, alike, len(alike) // 4)
                return await unit.notes_within(SCOPE, [Span(KIND, after, upto, unless=said)])

            assert await found(joined) == [None]
            assert await found(joined[4:12], b"\x00\x00", b"\x02\xff") == [None]
            assert await found(b"", b"\xff\x00") == [None]
            assert await found(joined[:-1]) == await found(b"") == [sorted(notes.items())]
            for at, body in others.items():
                await unit.note(SCOPE, KIND, {at: body})
                assert await found(joined) == [sorted((notes | {at: body}).items())]
                await unit.note(SCOPE, KIND, {at: notes.get(at)})
            assert await found(joined) == [None]

    async def test_what_is_kept_of_notes_is_what_they_were_when_they_were_noted(self, store: StoreDriver) -> None:
        notes: dict[bytes, bytes | None] = {b"a": b"1"}
        async with store.unit() as unit:
            await unit.hold(SCOPE)
            await unit.note(SCOPE, KIND, notes)
            notes[b"a"] = b"2"
        assert await store.notes_between(SCOPE, KIND) == [(b"a", b"1")]

    async def test_keys_are_compared_byte_by_byte(self, store: StoreDriver) -> None:
        await note(store, a=b"", A=b"", aa=b"", é=b"", z=b"")
        found = [body.decode() for body, _ in await store.notes_between(SCOPE, KIND)]
        assert found == ["A", "a", "aa", "z", "é"]

    async def test_a_note_takes_the_place_of_the_one_before(self, store: StoreDriver) -> None:
        await note(store, a=b"1", b=b"1")
        await note(store, a=b"2", b=None, c=None)
        assert await store.notes_between(SCOPE, KIND) == [(b"a", b"2")]
        assert await store.count_notes(SCOPE) == {KIND: 1}

    async def test_kinds_and_scopes_are_apart(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            for scope in ("one", "other"):
                await unit.hold(scope)
                for kind in ("floor", "proof"):
                    await unit.note(scope, kind, {b"k": f"{scope} {kind}".encode()})
        assert await store.notes_between("one", "proof") == [(b"k", b"one proof")]
        assert await store.scopes() == ["one", "other"]
        await store.forget_scope("one")
        assert await store.scopes() == ["other"]
        assert await store.count_notes("one") == {}
        assert await store.count_notes("other") == {"floor": 1, "proof": 1}

    async def test_what_a_unit_noted_goes_with_it(self, store: StoreDriver) -> None:
        await note(store, a=b"1")
        async with undone(store.unit()) as unit:
            await unit.hold(SCOPE)
            await unit.note(SCOPE, KIND, {b"a": b"2"})
        assert await store.notes_between(SCOPE, KIND) == [(b"a", b"1")]

    async def test_what_a_change_noted_is_kept_with_it(self, store: StoreDriver) -> None:
        change = Change(who="cli", what="reconcile-begun", on=SCOPE)
        async with store.changing(change) as changing:
            await changing.noting.hold(SCOPE)
            await changing.noting.note(SCOPE, KIND, {b"a": b"1"})
        async with undone(store.changing(change)) as changing:
            await changing.noting.note(SCOPE, KIND, {b"a": b"2"})
        assert await store.notes_between(SCOPE, KIND) == [(b"a", b"1")]
        assert len(await store.audit()) == 1
        with pytest.raises(RefusedError):
            store.noting  # noqa: B018

    @pytest.mark.parametrize("first_time", [True, False])
    async def test_a_scope_is_held_by_one_unit_at_a_time(self, store: StoreDriver, first_time: bool) -> None:
        if not first_time:
            await note(store, n=b"0")

        async def count() -> None:
            async with store.unit() as unit:
                await unit.hold(SCOPE)
                found = (await unit.noted(SCOPE, KIND, [b"n"])).get(b"n", b"0")
                await unit.note(SCOPE, KIND, {b"n": b"%d" % (int(found) + 1)})

        await asyncio.gather(*(count() for _ in range(8)))
        assert await store.notes_between(SCOPE, KIND) == [(b"n", b"8")]
