from __future__ import annotations

from tests.unit.telemetry.scrape import named, scrape
from tests.unit.webhooks.deliver.desk import always, desk, sink


async def test_what_waits_for_each_endpoint_and_how_it_fares_is_looked_up() -> None:
    async with desk() as at, sink() as to:
        to.answer = always(410)
        await at.add(to.url(), "gone")
        await at.add(to.url(), "still")
        await at.endpoints.pause("still")
        await at.say("1")
        await at.until("dead", endpoint="gone", type="said")
        await at.until("held", endpoint="still", type="said")
        samples = await scrape(at.opened)
        states = named(samples, "tidings_endpoint_state")
        assert {labels for labels, value in states.items() if value} == {("gone", "disabled"), ("still", "paused")}
        assert len(states) == 8
        assert named(samples, "tidings_endpoint_dead") == {("gone",): 1, ("still",): 0}
        assert named(samples, "tidings_endpoint_held") == {("gone",): 0, ("still",): 1}
        assert named(samples, "tidings_endpoint_pending") == {("gone",): 0, ("still",): 0}
        ages = named(samples, "tidings_endpoint_oldest_seconds")
        assert ages["gone",] == 0
        assert 0 < ages["still",] < 3_600
