"""What one party should hold of one item, and how far it is known to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Literal, TypeAlias, cast

import msgspec
from msgspec.structs import replace

from tidings.reconciliation.kept.coding import Mirrored
from tidings.reconciliation.kept.notes import Notes
from tidings.reconciliation.rules.judging import DELETE, PUT
from tidings.store.deliveries import Delivery
from tidings.store.rows import Rank
from tidings.store.unit import Unit

State: TypeAlias = Literal["wanted", "sent", "acked", "foreign", "gone"]
"""`wanted`: it was decided; `sent`: an attempt was begun; `acked`: the party has answered so, or lists it; `foreign`:
somebody else has changed it, and somebody has to decide; `gone`: it is not to be there, and is not."""
OLDER_KEPT = 16
"""So many of our earlier states are known as ours; one that is older is taken for somebody else's."""
KIND = "expected"
NOTHING = 0
"""What stands for the hash of an item that is not there."""


class Expected(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """See above. Times are µs since 1970, by our clocks.

    `version`: counts what was decided about the item. `function`, `payload`, `order`: of the delivery that says it;
    `hash`: of our fields in it; `is_removed`: it says that there is to be none. `first`: when its idempotency key was
    handed out first, or the party was last asked for the item before it was handed out again. `base`: our fields as the
    party is known to have had them last, JSON; `older`: hashes of what was decided before. `pushes`: how many
    deliveries were made with this key; `was_repeated`: it was pushed once more after it was acknowledged. `over`: the
    hash of what others had made of it, over which it was decided to push this.
    """

    key: str
    version: int
    idempotency_key: str
    function: str
    payload: bytes
    hash: int
    decided: int
    state: State = "wanted"
    order: str | None = None
    is_removed: bool = False
    first: int | None = None
    sent: int | None = None
    acked: int | None = None
    base: bytes | None = None
    older: tuple[int, ...] = ()
    etag: str | None = None
    pushes: int = 1
    was_repeated: bool = False
    over: int = NOTHING

    @property
    def changed(self) -> int:
        """When last anything was decided, begun or answered: what was read before says nothing of it."""
        return max(self.decided, self.sent or 0, self.acked or 0)

    @property
    def is_settled(self) -> bool:
        """Whether the party is known to hold it, or to have none."""
        return self.state in ("acked", "gone")

    @property
    def delivery_key(self) -> str:
        """The key of its last delivery: those that push it again are further ones, with the same idempotency key."""
        return self.idempotency_key if self.pushes == 1 else f"{self.idempotency_key}~{self.pushes}"

    def delivery(self, service: str) -> Delivery:
        """Return what has it pushed."""
        return Delivery(
            key=self.delivery_key,
            service=service,
            function=self.function,
            payload=self.payload,
            order=self.order,
        )

    def acknowledged(self, base: bytes | None, *, now: int) -> Expected:
        """Return it once the party is known to hold it. `base`: our fields, None if there is to be no such item."""
        state: State = "gone" if self.is_removed else "acked"
        return replace(self, state=state, acked=now, base=base, etag=None)

    def anew(self, key: str, *, now: int, payload: bytes | None = None, hash: int | None = None) -> Expected:
        """Return it as it is pushed under another idempotency key. `payload`, `hash`: where it says something else."""
        told, over = self.hash if hash is None else hash, (self.hash, *self.older)
        return replace(
            self,
            version=self.version + 1,
            idempotency_key=key,
            payload=self.payload if payload is None else payload,
            hash=told,
            decided=now,
            state="wanted",
            first=None,
            sent=None,
            acked=None,
            older=tuple(each for each in dict.fromkeys(over) if each not in (told, NOTHING))[:OLDER_KEPT],
            pushes=1,
            was_repeated=False,
            over=NOTHING,
        )

    def mirrored(self, at: bytes) -> Mirrored:
        """Return what a page of a list is compared with: an item that it should show, as it should."""
        kind = PUT if self.state == "acked" else DELETE
        return Mirrored(self.key, at, Rank(self.changed, 1, kind, self.hash))


def original_key(delivery_key: str) -> str:
    """Return the idempotency key of a delivery."""
    return delivery_key.partition("~")[0]


def made_key(secret: bytes, *parts: object) -> str:
    """Return the idempotency key that follows from what is pushed: delivery, key, version, what is there instead."""
    digest = blake2b(key=secret, digest_size=16)
    for part in map(str, parts):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


class Expectations(Notes):
    """What is expected of a party, in a unit that holds its scope."""

    async def at(self, places: Iterable[bytes]) -> dict[bytes, Expected]:
        found = await self._noted(KIND, places)
        return {at: msgspec.msgpack.decode(body, type=Expected) for at, body in found.items()}

    async def write(self, rows: Mapping[bytes, Expected]) -> None:
        """Keep these, and what pages are compared with."""
        await self._note(KIND, {at: msgspec.msgpack.encode(each) for at, each in rows.items()})
        await self._note("mirror", {at: each.mirrored(at).kept() for at, each in rows.items()})

    async def forget(self, places: Iterable[bytes]) -> None:
        gone = list(places)
        for kind in (KIND, "mirror"):
            await self._note(kind, dict.fromkeys(gone))

    async def pending(self, rows: Mapping[bytes, Expected]) -> frozenset[bytes]:
        """Return the places of which a delivery is open."""
        keys = {each.delivery_key: at for at, each in rows.items() if not each.is_settled}
        unit = cast(Unit, self.unit)  # runs, handlers and pushes note in units that may do all
        return frozenset(keys[key] for key in await unit.open_deliveries(list(keys))) if keys else frozenset()
