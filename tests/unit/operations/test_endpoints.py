"""What operators do to endpoints: each change kept once, told of, and refused when it is not theirs any more."""

from __future__ import annotations

import pytest

from tests.unit.operations.stage import TTL, OrderPlaced, Stage
from tidings.errors import (
    EndpointRefusedError,
    InvalidConfigurationError,
    MovedError,
    NotFoundError,
    RefusedError,
    TooManySecretsError,
)
from tidings.operations import endpoints, recovering
from tidings.operations.endpoints import Renewal, Signed, Terms
from tidings.ports import Ports
from tidings.store.endpoint_deliveries import Claiming, EndpointDelivery, Range, Result
from tidings.webhooks.deliver.sealing import keyring_of, opened
from tidings.webhooks.deliver.secrets import secret_of

URL = "https://example.com/hooks"
TERMS = Terms(keyring=keyring_of("gUrTQbGcj6TbNkJNgiLUX1zbpaOHB6XDhSkS3jJoBQs="))


async def added(stage: Stage, id: str | None = "crm", **members: object) -> Signed:
    given = {"url": URL, **members, **({} if id is None else {"id": id})}
    return await endpoints.add(stage.log, stage.store, Ports(clock=stage.clock), TERMS, given, who="cli")


async def test_an_endpoint_is_shown_as_it_was_asked_for(stage: Stage) -> None:
    made = await added(stage, pattern={"type": ["order-placed"]}, ordering="key", rate=60)
    found = await endpoints.find(stage.store, stage.clock, "crm")
    assert found == made.shown
    assert (found.endpoint.url, found.endpoint.ordering, found.endpoint.rate) == (URL, "key", 60)
    assert (found.version, found.endpoint.health.state) == (1, "active")
    assert await endpoints.listed(stage.store, stage.clock, limit=5) == [found]
    assert await endpoints.listed(stage.store, stage.clock, after="crm", limit=5) == []


async def test_its_secret_is_given_once_and_kept_sealed(stage: Stage) -> None:
    made = await added(stage)
    [held] = made.shown.secrets
    assert made.secret.text not in held.sealed
    assert opened(held.sealed, TERMS.keyring, about="crm") == made.secret


async def test_an_own_secret_is_taken_and_one_that_cannot_sign_is_refused(stage: Stage) -> None:
    text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert (await added(stage, secret=text)).secret == secret_of(text)
    with pytest.raises(InvalidConfigurationError) as refused:
        await added(stage, "other", secret="whsec_AAAA")
    assert refused.value.errors[0][0] == "/secret"


async def test_only_what_comes_later_is_sent_to_it(stage: Stage) -> None:
    await stage.say(OrderPlaced("a", 1), OrderPlaced("b", 1))
    assert (await added(stage)).shown.starts_after == 2


async def test_without_an_id_one_is_made(stage: Stage) -> None:
    one, two = (await added(stage, None)).shown.endpoint.id, (await added(stage, None)).shown.endpoint.id
    assert one != two
    with pytest.raises(InvalidConfigurationError):
        await added(stage, "a:b")
    with pytest.raises(RefusedError, match="already"):
        await added(stage, one)


async def test_a_url_that_nothing_may_be_sent_to_is_refused(stage: Stage) -> None:
    with pytest.raises(EndpointRefusedError):
        await added(stage, url="https://127.0.0.1/")
    assert await endpoints.listed(stage.store, stage.clock, limit=5) == []
    assert await stage.store.audit() == []


async def test_who_changes_it_has_seen_it_as_it_is(stage: Stage) -> None:
    seen = (await added(stage, rate=5, headers={"x-a": "b"})).shown
    after = await endpoints.change(
        stage.store, stage.clock, TERMS, seen, endpoints.merged(seen, {"slots": 9, "rate": None}), who="cli"
    )
    assert (after.version, after.endpoint.slots, after.endpoint.rate) == (2, 9, None)
    assert after.endpoint.headers == {"x-a": "b"}
    with pytest.raises(MovedError):
        await endpoints.change(stage.store, stage.clock, TERMS, seen, {"url": URL}, who="cli")
    with pytest.raises(MovedError):
        await endpoints.remove(stage.store, stage.clock, seen, who="cli")
    assert await endpoints.find(stage.store, stage.clock, "crm") == after


async def test_one_made_anew_under_its_id_is_not_the_one_that_was_seen(stage: Stage) -> None:
    seen = (await added(stage)).shown
    await endpoints.remove(stage.store, stage.clock, seen, who="cli")
    stage.clock.pass_by(seconds=1)
    await added(stage)
    with pytest.raises(MovedError):
        await endpoints.remove(stage.store, stage.clock, seen, who="cli")


async def test_removing_it_cancels_what_is_open(stage: Stage) -> None:
    seen = (await added(stage)).shown
    await deliver(stage, 3)
    assert await endpoints.remove(stage.store, stage.clock, seen, who="cli") == 3
    with pytest.raises(NotFoundError):
        await endpoints.find(stage.store, stage.clock, "crm")


async def test_the_secret_before_signs_on_until_its_grace_ends(stage: Stage) -> None:
    ports, first = Ports(clock=stage.clock), await added(stage)
    second = await endpoints.rotate(stage.store, ports, TERMS, "crm", asked=Renewal(grace_s=60), who="cli")
    assert [each.id for each in second.shown.secrets] == [second.held.id, first.held.id]
    stage.clock.pass_by(seconds=60)
    assert [each.id for each in (await endpoints.find(stage.store, stage.clock, "crm")).secrets] == [second.held.id]


async def test_an_older_secret_is_revoked_and_the_newest_is_not(stage: Stage) -> None:
    ports, first = Ports(clock=stage.clock), await added(stage)
    second = await endpoints.rotate(stage.store, ports, TERMS, "crm", who="cli")
    left = await endpoints.revoke(stage.store, stage.clock, "crm", first.held.id, who="cli")
    assert [each.id for each in left.secrets] == [second.held.id]
    with pytest.raises(RefusedError):
        await endpoints.revoke(stage.store, stage.clock, "crm", second.held.id, who="cli")
    for _ in range(4):
        await endpoints.rotate(stage.store, ports, TERMS, "crm", who="cli")
    with pytest.raises(TooManySecretsError):
        await endpoints.rotate(stage.store, ports, TERMS, "crm", who="cli")


async def test_a_paused_one_holds_what_comes_and_says_why(stage: Stage) -> None:
    await added(stage)
    paused = await endpoints.pause(stage.store, stage.clock, "crm", reason=" they move ", who="cli")
    assert (paused.endpoint.health.state, paused.endpoint.health.why) == ("paused", "they move")
    await deliver(stage, 1)
    assert [each["state"] for each in await stage.store.deliveries()] == ["held"]
    resumed = await endpoints.resume(stage.store, stage.clock, "crm", who="cli")
    assert resumed.endpoint.health.state == "active"
    with pytest.raises(RefusedError):
        await endpoints.resume(stage.store, stage.clock, "crm", who="cli")
    with pytest.raises(InvalidConfigurationError):
        await endpoints.pause(stage.store, stage.clock, "crm", reason="x" * 501, who="cli")


async def test_the_dead_of_a_range_are_made_again_over_more_than_one_chunk(stage: Stage) -> None:
    await added(stage, slots=200)
    await deliver(stage, 205)
    claims = await stage.store.claim_endpoint_deliveries(Claiming(owner="o", limit=300, late=300), ttl=TTL)
    for claim in claims:
        for each in claim.deliveries:
            await stage.store.settle_endpoint_deliveries([each], lambda _: Result(state="dead", outcome="gone"))
    dead = len(await stage.store.deliveries("dead", limit=300))
    assert dead > recovering.CHUNK
    within = await recovering.range_of(stage.log, after=1, to=None)
    assert await recovering.dead_in(stage.store, "crm", within) == dead - 1
    told: list[tuple[str, int, int | None]] = []
    watched = lambda what, done, total: told.append((what, done, total))  # noqa: E731
    done = await recovering.recover(stage.store, stage.clock, "crm", within, who="cli", progress=watched)
    assert done == dead - 1
    assert len(told) > 1
    assert len(await stage.store.deliveries("dead", limit=300)) == 1
    with pytest.raises(NotFoundError):
        await recovering.recover(stage.store, stage.clock, "nix", Range(after=0, to=9), who="cli")


async def deliver(stage: Stage, count: int) -> None:
    """Append so many events, and add a delivery of each."""
    await stage.say(*(OrderPlaced(f"o-{n}", 1) for n in range(count)))
    head = (await stage.log.head()).position
    async with stage.store.unit() as unit:
        await unit.deliver(
            [
                EndpointDelivery(endpoint="crm", position=at, type="order-placed", subject=f"o-{at}")
                for at in range(head - count + 1, head + 1)
            ]
        )
