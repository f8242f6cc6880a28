"""What is told of receivers, replayed of their receipts, and kept of those that are made while the application runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tests.acceptance.webhooks import JSON, SECRET, Till, delivery
from tidings import App, DeclarationError, Settings
from tidings.app import Opened
from tidings.app.receiving import receivers_of
from tidings.conformance.store_harness import StillClock
from tidings.errors import InvalidConfigurationError, RefusedError, StoreUnavailableError
from tidings.events.filter import EVERYTHING
from tidings.ports import Ports
from tidings.store.receipts import ReceiverRecord
from tidings.telemetry.series import Gauge
from tidings.webhooks.intake.alarms import Alarms
from tidings.webhooks.intake.records import Hidden, Secret, config_of, receiver_of, sealed_hidden
from tidings.webhooks.intake.replaying import Again, Replayed, replay
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.places import Header
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.scheme import Scheme
from tidings.webhooks.sealing import Keyring

MEMORY = Settings(database_url="sqlite:///:memory:")
HOUR = timedelta(hours=1)
STRIPE = PRESETS["stripe"]


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def till() -> Till:
    return Till(expected_every=HOUR)


@pytest.fixture
async def opened(till: Till, clock: StillClock) -> AsyncIterator[Opened]:
    async with till.app.open(MEMORY, ports=Ports(clock=clock), consume=False) as opened:
        yield opened


async def take_in(till: Till, opened: Opened, body: bytes) -> Any:
    request = Given((JSON,), body)
    return await opened.intake.keep(arrival_of(till.receiver, request, opened.making()))


async def events(opened: Opened) -> list[tuple[str, str]]:
    page = await opened.log.read(after=0, limit=100, where=EVERYTHING)
    return [(entry.envelope.type, entry.envelope.id) for entry in page.entries]


async def alarms(opened: Opened) -> list[str]:
    return [type for type, _ in await events(opened) if type.startswith("receiver.")]


def another(opened: Opened, clock: StillClock) -> Alarms:
    """Return what another process would look with."""
    return Alarms(opened.roster, opened.store, opened.log, clock)


async def test_silent_receiver_raises_and_reconciles(till: Till, opened: Opened, clock: StillClock) -> None:
    await take_in(till, opened, delivery("evt_1"))
    await opened.alarms.look()
    assert await alarms(opened) == []
    clock.move(3_601)
    for watching in (opened.alarms, opened.alarms, another(opened, clock)):
        await watching.look()
    assert await alarms(opened) == ["receiver.silent"]
    await take_in(till, opened, delivery("evt_2"))
    clock.move(3_601)
    await opened.alarms.look()
    assert await alarms(opened) == ["receiver.silent"] * 2


async def overdue(opened: Opened) -> list[tuple[tuple[str, ...], float]]:
    await opened.alarms.look()
    [found] = [
        each for each in await opened.telemetry.series() if each.metric.name == "tidings_receiver_overdue_seconds"
    ]
    assert isinstance(found, Gauge)
    return [(labels, round(seconds)) for labels, seconds in found.values]


async def test_how_long_a_receiver_is_overdue_is_measured(till: Till, opened: Opened, clock: StillClock) -> None:
    await take_in(till, opened, delivery("evt_1"))
    clock.move(3_000)
    assert await overdue(opened) == [(("till",), 0)]
    clock.move(690)
    assert await overdue(opened) == [(("till",), 90)]
    await take_in(till, opened, delivery("evt_2"))
    assert await overdue(opened) == [(("till",), 0)]


async def test_a_receiver_to_which_nothing_ever_came_is_silent_once(
    till: Till, opened: Opened, clock: StillClock
) -> None:
    clock.move(3_599)
    await opened.alarms.look()
    assert await alarms(opened) == []
    for _ in range(3):
        clock.move(3_601)
        await opened.alarms.look()
        await another(opened, clock).look()
    assert await alarms(opened) == ["receiver.silent"]


async def test_a_receiver_that_is_made_later_waits_from_then_on(opened: Opened, clock: StillClock) -> None:
    clock.move(3_000)
    acts = receivers_of(opened)
    members = {"preset": "stripe", "source": "/bank", "secrets": ["whsec_" + "b" * 32], "expected_every_s": 60}
    assert not (await acts.put("bank", members)).is_silent
    await opened.alarms.look()
    assert await alarms(opened) == []
    clock.move(61)
    assert (await acts.show("bank")).is_silent
    await another(opened, clock).look()
    assert await alarms(opened) == ["receiver.silent"]


async def test_a_receiver_that_refuses_most_is_told_once_an_hour(opened: Opened, clock: StillClock) -> None:
    for _ in range(20):
        opened.alarms.verified("till", accepted=True, now=clock.now_us())
    for _ in range(19):
        opened.alarms.verified("till", accepted=False, now=clock.now_us())
    await opened.alarms.look()
    assert await alarms(opened) == []
    opened.alarms.verified("till", accepted=False, now=clock.now_us())
    for _ in range(30):
        opened.alarms.verified("till", accepted=False, now=clock.now_us())
        await opened.alarms.look()
    assert await alarms(opened) == ["receiver.rejecting"]


async def again(opened: Opened, n: int, nonce: str = "1") -> Replayed:
    with_what = Again(
        store=opened.store,
        retelling=opened.retelling,
        roster=opened.roster,
        making=opened.making(),
    )
    return await replay(with_what, n, nonce=nonce)


async def test_what_failed_is_replayed_under_its_own_id(till: Till, opened: Opened) -> None:
    till.broken = True
    kept = await take_in(till, opened, delivery("evt_1"))
    replayed = await again(opened, kept.n)
    assert (replayed.outcome, "a mistake of ours" in (replayed.error or "")) == ("failed", True)
    till.broken = False
    assert (await again(opened, kept.n)).events == (("order-paid", "evt_1"),)
    receipt = await opened.store.receipt(kept.n)
    assert receipt is not None
    assert (receipt.outcome, receipt.replays) == ("stored", 2)
    assert await events(opened) == [("order-paid", "evt_1")]
    assert (await take_in(till, opened, delivery("evt_1"))).outcome == "duplicate"


async def test_what_was_stored_is_replayed_as_new_events_once_for_each_nonce(till: Till, opened: Opened) -> None:
    kept = await take_in(till, opened, delivery("evt_1"))
    for nonce in ("a", "a", "b"):
        await again(opened, kept.n, nonce)
    assert [id for _, id in await events(opened)] == ["evt_1", "evt_1~a", "evt_1~b"]


async def test_a_body_that_is_pruned_is_not_replayed(till: Till, opened: Opened, clock: StillClock) -> None:
    kept = await take_in(till, opened, delivery("evt_1"))
    await opened.store.forget_bodies(before=clock.now_us() + 1, limit=9)
    with pytest.raises(RefusedError, match="pruned"):
        await again(opened, kept.n)


HIDDEN = Hidden(secrets=(Secret(text=SECRET),))
RECORD = ReceiverRecord(
    id="bank",
    config=b'{"preset":"stripe","source":"/bank"}',
    created=1,
    secrets=sealed_hidden(HIDDEN, "bank", Keyring(), Random(1).randbytes),
)


async def test_a_receiver_of_the_store_is_found_changed_and_retired(opened: Opened, clock: StillClock) -> None:
    assert await opened.roster.find("bank") is None
    await opened.store.add_receiver(RECORD)
    clock.move(2)
    found = await opened.roster.find("bank")
    assert found is not None
    assert (found.source, found.is_retired, found.keys[0].text) == ("/bank", False, SECRET)
    await opened.store.change_receiver(replace(RECORD, state="retired"))
    clock.move(2)
    retired = await opened.roster.find("bank")
    assert retired is not None
    assert retired.is_retired
    assert [each.id for each in await opened.roster.all()] == ["bank", "till"]


async def test_a_record_that_cannot_be_read_is_no_open_door(opened: Opened) -> None:
    await opened.store.add_receiver(replace(RECORD, secrets=b""))
    with pytest.raises(StoreUnavailableError):
        await opened.roster.find("bank")
    assert [each.id for each in await opened.roster.all()] == ["till"]


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        (b'{"preset":"nobody","source":"/x"}', "/preset"),
        (b'{"preset":"stripe"}', "/source"),
        (b'{"preset":"stripe","source":3}', "/source"),
        (b'{"preset":"stripe","source":"/x","more":1}', "/more"),
        (b'{"preset":"square","source":"/x"}', ""),
        (b"{", ""),
    ],
)
def test_a_configuration_that_breaks_a_rule_is_refused_with_its_place(config: bytes, pointer: str) -> None:
    with pytest.raises(InvalidConfigurationError) as refused:
        receiver_of("bank", config_of(config), HIDDEN)
    assert refused.value.errors[0][0] == pointer


@pytest.mark.parametrize("secrets", [(), ("",), ("secret",), ("whsec_",), ("a-secret\n",), (None,), "whsec_text", (3,)])
def test_a_receiver_without_a_secret_of_its_own_is_refused(secrets: Any) -> None:
    with pytest.raises(DeclarationError):
        App().receiver("till", STRIPE, secrets=secrets, source="/till")


@pytest.mark.parametrize("id", ["", "Till", "a/b", "a_b", "-a", "x" * 65, 3])
def test_an_id_that_cannot_stand_in_a_path_is_refused(id: Any) -> None:
    with pytest.raises(DeclarationError):
        App().receiver(id, STRIPE, secrets=(SECRET,), source="/till")


@pytest.mark.parametrize("source", ["", "a b", "tidings", 3])
def test_a_source_that_is_none_is_refused(source: Any) -> None:
    with pytest.raises(DeclarationError):
        App().receiver("till", STRIPE, secrets=(SECRET,), source=source)


def test_a_scheme_alone_is_enough() -> None:
    scheme = Scheme(algorithm="hmac-sha256", signature=Header("x-signature"), tolerance=None)
    made = App().receiver("till", scheme, secrets=(Key(SECRET),), source="/till")
    assert (made.preset.name, made.preset.schemes) == ("till", (scheme,))
    assert SECRET not in repr(made)


def test_a_translation_is_a_plain_function_of_one_item() -> None:
    async def waits(item: Any) -> None: ...

    made = App().receiver("till", STRIPE, secrets=(SECRET,), source="/till")
    for wrong in (waits, lambda: None, 3, dict):
        with pytest.raises(DeclarationError):
            made.translate("a")(wrong)  # type: ignore[type-var]
    made.translate("a")(lambda item: None)
    with pytest.raises(DeclarationError, match="two translations"):
        made.translate("stripe.a")(lambda item: None)


@pytest.mark.parametrize("url", ["https://shop.example/hooks/till?x=1", "https://shop.example/hooks/till#a"])
def test_a_public_url_ends_with_its_path(url: str) -> None:
    with pytest.raises(DeclarationError, match="give it up to the path"):
        App().receiver("till", PRESETS["twilio"], secrets=(SECRET,), source="/till", public_url=url)
