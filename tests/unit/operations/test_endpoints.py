"""What operators do to endpoints: each change kept once, told of, and refused where it cannot be."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from tests.unit.webhooks.deliver.desk import Desk, Sink, always, desk, sink
from tidings.errors import (
    EndpointRefusedError,
    InvalidConfigurationError,
    MovedError,
    NotFoundError,
    RefusedError,
    SettingError,
)
from tidings.events.filter import Filter
from tidings.operations.endpoint_again import Wanted
from tidings.store.endpoint_deliveries import Range
from tidings.webhooks.sealing import keyring_of

ALL = Range(after=0, to=1_000)


@pytest.fixture
async def at() -> AsyncIterator[Desk]:
    async with desk() as made:
        yield made


@pytest.fixture
async def to() -> AsyncIterator[Sink]:
    async with sink() as made:
        yield made


async def told(at: Desk) -> list[str]:
    page = await at.opened.log.read(after=0, limit=100, where=Filter(source="tidings"))
    return [entry.envelope.type for entry in page.entries]


async def test_an_endpoint_is_shown_as_it_was_asked_for_without_what_is_secret(at: Desk, to: Sink) -> None:
    members = {"url": to.url(), "ordering": "key", "rate": 60, "headers": {"authorization": "Bearer hush"}}
    made = await at.endpoints.add(members, id="crm")
    assert made.secret.startswith("whsec_")
    shown = await at.endpoints.show("crm")
    assert shown == made.endpoint
    assert (shown.members["ordering"], shown.members["rate"], shown.version, shown.state) == ("key", 60, 1, "active")
    assert "hush" not in repr(shown)
    assert made.secret not in repr(made)
    assert [each.id for each in await at.endpoints.list()] == ["crm"]


async def test_what_cannot_be_is_refused_in_the_callers_words(at: Desk, to: Sink) -> None:
    with pytest.raises(EndpointRefusedError, match="private, local or reserved"):
        await at.endpoints.add({"url": "http://10.0.0.1/"})
    with pytest.raises(InvalidConfigurationError, match="id: an id is"):
        await at.endpoints.add({"url": to.url()}, id="a:b")
    await at.add(to.url())
    with pytest.raises(RefusedError, match="already"):
        await at.add(to.url())
    with pytest.raises(NotFoundError):
        await at.endpoints.change("nobody", {"slots": 2})


async def test_secrets_are_not_kept_plain_where_others_reach_the_server(at: Desk, to: Sink) -> None:
    with pytest.raises(SettingError, match="TIDINGS_MASTER_KEY is not set"):
        await replace(at.endpoints, is_local=False).add({"url": to.url()})


async def test_values_of_headers_are_sealed_and_sent_as_they_were_given(to: Sink) -> None:
    async with desk(master_key=b64encode(bytes(range(32))).decode()) as at:
        given = {"authorization": "Bearer hush", "x-odd": "plain$ aes256gcm$"}
        await at.add(to.url(), headers=given)
        for members in ({"rate": 6_000}, {"headers": {**given, "x-more": "1"}}):
            record = await at.opened.store.endpoint("e")
            assert record is not None
            assert b"hush" not in record.config
            await at.endpoints.change("e", members)
        await at.say("1")
        await at.until("delivered")
        [got] = to.got
        assert [got.headers[name] for name in ("authorization", "x-odd", "x-more")] == [*given.values(), "1"]


async def test_a_header_that_cannot_be_read_is_as_a_secret_that_cannot(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    keys = keyring_of(b64encode(bytes(range(32))).decode())
    await replace(at.endpoints, keyring=keys).change("e", {"headers": {"authorization": "Bearer hush"}})
    await at.say("1")
    await at.until("dead")
    assert ((await at.endpoints.show("e")).reason, to.got) == ("secret-unreadable", [])
    await at.endpoints.change("e", {"headers": {"authorization": "Bearer new"}})
    await at.endpoints.resume("e")
    await at.say("2")
    await at.until("dead", "delivered")
    assert to.got[0].headers["authorization"] == "Bearer new"


async def test_a_header_that_was_kept_before_there_was_a_master_key_is_sent(at: Desk, to: Sink) -> None:
    await at.add(to.url(), headers={"x-key": "1"})
    record = await at.opened.store.endpoint("e")
    assert record is not None
    old = structs.replace(record, config=record.config.replace(b"plain$1", b"1"))
    assert await at.opened.store.change_endpoint(old) is not None
    await at.say("1")
    await at.until("delivered")
    assert to.got[0].headers["x-key"] == "1"


async def test_the_secret_of_a_legacy_header_is_sealed_and_not_shown_and_stays_until_it_is_taken_out(to: Sink) -> None:
    async with desk(master_key=b64encode(bytes(range(32))).decode()) as at:
        legacy = {"preset": "github", "header": "X-Shop-Signature", "secret": "hush"}
        await at.add(to.url(), legacy=legacy)
        changes: tuple[dict[str, Any], ...] = (
            {"rate": 6_000},
            {"legacy": {"preset": "github", "header": "X-Shop-Signature"}},
            {"headers": {"x-key": "1"}},
        )
        for members in changes:
            record = await at.opened.store.endpoint("e")
            assert record is not None
            assert (b"hush" in record.config, b"X-Shop-Signature" in record.config) == (False, True)
            changed = await at.endpoints.change("e", members)
            assert changed.members["legacy"] == {"preset": "github", "header": "X-Shop-Signature", "prefix": None}
        await at.say("1")
        await at.until("delivered")
        expected = hmac.digest(b"hush", to.got[0].body, "sha256").hex()
        assert to.got[0].headers["X-Shop-Signature"] == f"sha256={expected}"
        assert (await at.endpoints.change("e", {"legacy": None})).members["legacy"] is None
        await at.say("2")
        await at.until("delivered", "delivered")
        assert "X-Shop-Signature" not in to.got[1].headers


async def test_a_change_that_leaves_the_legacy_header_is_judged_with_it(at: Desk, to: Sink) -> None:
    await at.add(to.url(), legacy={"preset": "github", "header": "X-Sig", "secret": "hush"}, headers={"x-a": "1"})
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"headers": {"x-sig": "1"}}, "/headers/x-sig"),
        ({"legacy": {"preset": "github", "header": "X-A"}}, "/legacy/header"),
        ({"legacy": {"preset": "github", "header": "X-A"}, "headers": {"x-a": "1"}}, "/headers/x-a"),
    )
    for members, where in cases:
        with pytest.raises(InvalidConfigurationError) as refused:
            await at.endpoints.change("e", members)
        assert [pointer for pointer, _ in refused.value.errors] == [where]
    whole = await at.endpoints.change("e", {"url": to.url(), "legacy": {"preset": "stripe"}}, whole=True)
    assert whole.members["legacy"] == {"preset": "stripe", "header": "stripe-signature", "prefix": None}
    assert (await at.endpoints.change("e", {"url": to.url()}, whole=True)).members["legacy"] is None
    with pytest.raises(InvalidConfigurationError, match="/legacy/secret: it is missing"):
        await at.endpoints.change("e", {"legacy": {"preset": "github"}})


async def test_a_legacy_secret_that_cannot_be_read_is_as_any_that_cannot(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    keys = keyring_of(b64encode(bytes(range(32))).decode())
    legacy = {"preset": "github", "secret": "hush"}
    await replace(at.endpoints, keyring=keys).change("e", {"legacy": legacy})
    await at.say("1")
    await at.until("dead")
    assert ((await at.endpoints.show("e")).reason, to.got) == ("secret-unreadable", [])
    assert (await at.endpoints.change("e", {"rate": 6_000})).members["legacy"] is not None
    with pytest.raises(InvalidConfigurationError, match="/legacy/secret: it is missing"):
        await at.endpoints.change("e", {"legacy": {"preset": "stripe"}})
    await at.endpoints.change("e", {"legacy": legacy})
    await at.endpoints.resume("e")
    await at.say("2")
    await at.until("dead", "delivered")


async def test_an_endpoint_without_a_legacy_header_is_kept_as_releases_without_it_read_it(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    record = await at.opened.store.endpoint("e")
    assert record is not None
    assert b"legacy" not in record.config


async def test_a_change_keeps_what_it_does_not_name_and_is_refused_to_who_saw_an_older_version(
    at: Desk, to: Sink
) -> None:
    await at.add(to.url(), headers={"x-key": "1"}, slots=3)
    changed = await at.endpoints.change("e", {"rate": 5}, version=1)
    assert (changed.version, changed.members["slots"], changed.members["headers"]) == (2, 3, {"x-key": "…"})
    with pytest.raises(MovedError, match="was changed since it was read"):
        await at.endpoints.change("e", {"rate": 6}, version=1)
    whole = await at.endpoints.change("e", {"url": to.url()}, whole=True)
    assert (whole.members["slots"], whole.members["headers"]) == (4, {})


async def test_a_secret_is_followed_by_one_of_its_kind_unless_another_is_asked_for(at: Desk, to: Sink) -> None:
    """Whoever verifies with a public key could verify nothing of an HMAC once the key before has ended."""
    await at.endpoints.add({"url": to.url()}, id="e", kind="ed25519")
    made = [await at.endpoints.rotate("e", kind=kind) for kind in (None, "hmac", None)]
    assert [each.secret.partition("_")[0] for each in made] == ["whsk", "whsec", "whsec"]
    assert [(each.public or "").partition("_")[0] for each in made] == ["whpk", "", ""]


async def test_after_a_secret_that_cannot_be_read_the_kind_of_the_next_has_to_be_said(to: Sink) -> None:
    async with desk() as at:
        other = replace(at.endpoints, keyring=keyring_of(b64encode(bytes(range(32))).decode()))
        await other.add({"url": to.url()}, id="e", kind="ed25519")
        with pytest.raises(InvalidConfigurationError, match=r"kind: say hmac or ed25519.*revoke.*TIDINGS_MASTER_KEY"):
            await at.endpoints.rotate("e")
        assert (await at.endpoints.rotate("e", kind="ed25519", grace_s=0)).public is not None


async def test_after_a_rotation_whose_secrets_cannot_be_read_what_is_said_to_be_done_has_it_deliver(to: Sink) -> None:
    async with desk() as at:
        other = replace(at.endpoints, keyring=keyring_of(b64encode(bytes(range(32))).decode()))
        await other.add({"url": to.url()}, id="e")
        await other.rotate("e")
        await at.say("1")
        await at.until("dead")
        await at.endpoints.rotate("e", kind="hmac", grace_s=0)
        await at.endpoints.revoke("e", "s1")
        await at.endpoints.resume("e")
        await at.say("2")
        await at.until("dead", "delivered")


async def test_a_secret_is_of_the_kind_that_another_rotation_gave_meanwhile(
    at: Desk, to: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at.add(to.url())
    store, read = at.endpoints.store, at.endpoints.store.endpoint

    async def meanwhile(id: str) -> Any:
        found = await read(id)
        with monkeypatch.context() as again:
            again.setattr(store, "endpoint", read)
            await at.endpoints.rotate(id, kind="ed25519")
        monkeypatch.setattr(store, "endpoint", read)
        return found

    monkeypatch.setattr(store, "endpoint", meanwhile)
    assert (await at.endpoints.rotate("e")).public is not None


async def test_a_rotated_secret_signs_beside_the_old_one_until_that_is_revoked(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    await at.endpoints.rotate("e")
    await at.say("1")
    await at.until("delivered")
    await at.endpoints.revoke("e", "s1")
    await at.say("2")
    await at.until("delivered", "delivered")
    assert [len(got.headers["webhook-signature"].split()) for got in to.got] == [2, 1]
    assert await told(at) == ["endpoint.secret-rotated"]
    with pytest.raises(RefusedError, match="newest"):
        await at.endpoints.revoke("e", "s2")


async def test_pausing_and_resuming_are_told_once_each(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    await at.endpoints.pause("e", reason="theirs")
    assert (await at.endpoints.pause("e")).state == "paused"
    await at.endpoints.resume("e")
    with pytest.raises(RefusedError):
        await at.endpoints.resume("e")
    assert await told(at) == ["endpoint.paused", "endpoint.resumed"]


async def test_it_is_shown_since_when_an_endpoint_stands_and_how_it_fared(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    await at.say("1")
    await at.until("delivered")
    fine = await at.endpoints.show("e")
    assert (fine.succeeded, fine.failed, fine.failed_at) == (1, 0, None)
    assert fine.succeeded_at == fine.quiet_since
    paused = await at.endpoints.pause("e", reason="theirs")
    await at.say("2")
    await at.until("delivered", "held", type="said")
    shown = await at.endpoints.show("e")
    assert (shown.since, shown.reason, shown.succeeded_at) == (paused.since, "theirs", fine.succeeded_at)
    assert (shown.backlog.held, shown.backlog.pending) == (1, 0)
    to.answer = always(500)
    resumed = await at.endpoints.resume("e")
    assert resumed.quiet_since == resumed.since >= paused.since
    await at.until("delivered", "dead", type="said")
    failed = await at.endpoints.show("e")
    assert (failed.quiet_since, failed.succeeded_at, failed.failed) == (resumed.quiet_since, fine.succeeded_at, 4)
    assert failed.failed_at is not None
    assert [each.backlog.dead for each in await at.endpoints.list()] == [1]


async def test_recovering_counts_first_and_makes_only_what_is_dead_again(at: Desk, to: Sink) -> None:
    to.answer = always(410)
    await at.add(to.url())
    await at.say("1")
    await at.until("dead", type="said")
    assert (await at.endpoints.recover("e", ALL, dry_run=True)).count == 1
    assert await at.states(type="said") == ["dead"]
    to.answer = always(200)
    await at.endpoints.resume("e")
    assert (await at.endpoints.recover("e", ALL)).count == 1
    await at.until("delivered", type="said")
    assert (await at.endpoints.recover("e", ALL)).count == 0


async def test_a_replay_has_the_same_ids_unless_new_ones_are_wanted_and_goes_on_under_its_run(
    at: Desk, to: Sink
) -> None:
    await at.add(to.url())
    await at.say("1", "2")
    await at.until("delivered", "delivered")
    assert (await at.endpoints.replay("e", Wanted(within=ALL, missing_only=True))).count == 0
    assert (await at.endpoints.replay("e", Wanted(within=ALL, dry_run=True))).count == 2
    again = await at.endpoints.replay("e", Wanted(within=ALL))
    await at.until(*["delivered"] * 4)
    assert (again.count, len({got.id for got in to.got})) == (2, 2)
    assert (await at.endpoints.replay("e", Wanted(within=ALL, run=again.run))).count == 0
    await at.endpoints.replay("e", Wanted(within=Range(after=1, to=2), new_id=True))
    await at.until(*["delivered"] * 5)
    assert len({got.id for got in to.got}) == 3


async def test_a_replay_is_of_what_its_filter_and_its_endpoints_pattern_take(at: Desk, to: Sink) -> None:
    await at.say("1", type="said")
    await at.say("2", type="sold")
    await at.say("3", type="seen")
    await at.add(to.url(), pattern={"type": ["said", "sold"]})
    where = Filter(types=frozenset({"sold", "seen"}))
    assert (await at.endpoints.replay("e", Wanted(within=ALL, where=where))).count == 1
    [row] = await at.until("delivered")
    assert row["type"] == "sold"


async def test_a_replay_of_more_than_a_chunk_is_whole(at: Desk, to: Sink) -> None:
    await at.say(*map(str, range(250)))
    await at.add(to.url())
    assert (await at.endpoints.replay("e", Wanted(within=ALL))).count == 250
    await at.until(*["delivered"] * 250)


class _Died(Exception):
    """Ends what it is raised in, as the end of its process would."""


async def test_a_replay_that_was_interrupted_goes_on_in_its_run_and_tells_how_far_it_is(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    await at.endpoints.pause("e")
    await at.say(*map(str, range(250)))
    told: list[tuple[int, int]] = []

    def dies(what: str, done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == 2:
            raise _Died

    head = (await at.opened.log.head()).position
    wanted = Wanted(within=Range(after=0, to=head), where=Filter(source="/test"), run="r-1")
    with pytest.raises(_Died):
        await at.endpoints.replay("e", replace(wanted, progress=dies))
    assert (told[0], told[1][0] >= 100) == ((0, head), True)
    done = await at.endpoints.replay("e", wanted)
    positions = [row["position"] for row in await at.rows(endpoint="e") if row["run"] == "r-1"]
    assert (done.count, len(positions), len(set(positions))) == (150, 250, 250)


async def test_recovering_tells_how_much_of_it_is_done(at: Desk, to: Sink) -> None:
    to.answer = always(410)
    await at.add(to.url(), slots=1)
    await at.say("0")
    await at.until("dead", type="said")
    told: list[tuple[str, int, int]] = []
    done = await at.endpoints.recover("e", ALL, progress=lambda *so: told.append(so))
    assert (done.count, told) == (1, [("recovering", 0, 1)])
