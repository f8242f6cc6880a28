"""What every log back end must do. A back end's test file is a subclass with a `harness` fixture; it overrides nothing.

    class TestMyLog(SharedLogSuite):
        @pytest.fixture
        async def harness(self, tmp_path):
            harness = MyHarness(tmp_path)
            yield harness
            await harness.close()

pytest-asyncio has to run in its auto mode. Assertions are explained if `pytest.register_assert_rewrite` is told of
`tidings.conformance` first.
"""

from __future__ import annotations

import pytest

from tidings.conformance.harness import LogHarness
from tidings.conformance.log_append import Appending
from tidings.conformance.log_dedupe import Deduplicating
from tidings.conformance.log_expectations import Expecting
from tidings.conformance.log_reading import Reading
from tidings.conformance.log_sharing import Sharing
from tidings.conformance.log_skipping import NeverSkipping
from tidings.conformance.log_waiting import Waiting
from tidings.log.driver import LogDriver
from tidings.log.log import Log
from tidings.ports import Ports


class _Chapters(Appending, Expecting, Reading, NeverSkipping, Waiting, Deduplicating):
    @pytest.fixture
    async def driver(self, harness: LogHarness) -> LogDriver:
        return await harness.open()

    @pytest.fixture
    async def log(self, driver: LogDriver) -> Log:
        return Log(driver, Ports())

    async def test_what_this_suite_demands_is_claimed(self, driver: LogDriver) -> None:
        facts = driver.facts
        assert facts.name
        assert facts.batch_is_atomic
        assert facts.id_remembered_for is None
        assert facts.expects == {"subject", "condition"}


class LogSuite(_Chapters):
    """For a log that lives and ends with its process. Its harness is a `LogHarness`."""

    async def test_nothing_outlives_the_process_and_none_is_promised(self, driver: LogDriver) -> None:
        assert driver.facts.append_survives == "nothing"
        assert not driver.facts.wakes_across_processes


class SharedLogSuite(_Chapters, Sharing):
    """For a log that is kept, and that several processes may open. Its harness is a `SharedLogHarness`."""

    async def test_an_append_outlives_the_process_and_this_is_promised(self, driver: LogDriver) -> None:
        assert driver.facts.append_survives in ("process", "power", "node")
