"""What every store back end must do. A test file is a subclass with a `harness` fixture; it overrides nothing.

    class TestMyStore(SharedStoreSuite):
        @pytest.fixture
        async def harness(self, tmp_path):
            harness = MyHarness(tmp_path)
            yield harness
            await harness.close()

As for the log's suite, pytest-asyncio has to run in its auto mode. The time is the harness's, and stands still.
"""

from __future__ import annotations

import pytest

from tidings.conformance.store_accounts import SharingAccounts
from tidings.conformance.store_attempts import Attempting
from tidings.conformance.store_auditing import Auditing
from tidings.conformance.store_census import Tallying, Waiting
from tidings.conformance.store_commands import Remembering
from tidings.conformance.store_conflicts import Conflicts
from tidings.conformance.store_delivering import Delivering
from tidings.conformance.store_emitting import Emitting, Staging
from tidings.conformance.store_endpoint_again import RepeatingForEndpoints
from tidings.conformance.store_endpoint_batches import BatchesForEndpoints
from tidings.conformance.store_endpoint_claims import ClaimingForEndpoints
from tidings.conformance.store_endpoint_lines import OrderingForEndpoints
from tidings.conformance.store_endpoint_results import SettlingForEndpoints
from tidings.conformance.store_endpoint_sharing import SharingEndpoints
from tidings.conformance.store_endpoints import KeepingEndpoints
from tidings.conformance.store_harness import StoreHarness, StoreWithLogHarness
from tidings.conformance.store_inline import FoldingInline
from tidings.conformance.store_keyed import Answering, AppendingKeyed
from tidings.conformance.store_keys import Admitting
from tidings.conformance.store_leases import Leasing
from tidings.conformance.store_letters import FindingWhatFailed
from tidings.conformance.store_long_keys import FindingByLongKeys
from tidings.conformance.store_notes import Noting
from tidings.conformance.store_parking import Parking
from tidings.conformance.store_polling import Polling
from tidings.conformance.store_receivers import KeepingReceivers
from tidings.conformance.store_receiving import Receiving
from tidings.conformance.store_redriving import Redriving
from tidings.conformance.store_rows import Rowing
from tidings.conformance.store_savepoints import Undoing
from tidings.conformance.store_sharing import SharingStores
from tidings.conformance.store_swapping import Swapping
from tidings.conformance.store_units import Keeping
from tidings.conformance.store_versions import Joining, Registering
from tidings.log.driver import LogDriver
from tidings.store.driver import StoreDriver


class _Chapters(
    Leasing,
    Keeping,
    Undoing,
    Parking,
    Redriving,
    Remembering,
    Delivering,
    Attempting,
    Auditing,
    Rowing,
    Swapping,
    Admitting,
    Answering,
    KeepingEndpoints,
    ClaimingForEndpoints,
    SettlingForEndpoints,
    BatchesForEndpoints,
    OrderingForEndpoints,
    RepeatingForEndpoints,
    Receiving,
    Conflicts,
    FindingWhatFailed,
    Polling,
    KeepingReceivers,
    Registering,
    Joining,
    Waiting,
    Noting,
    FindingByLongKeys,
):
    @pytest.fixture
    async def store(self, harness: StoreHarness) -> StoreDriver:
        return await harness.open()

    async def test_the_store_says_what_it_is(self, store: StoreDriver) -> None:
        assert store.facts.name
        assert store.facts.partitions in {1 << power for power in range(11)}


class StoreSuite(_Chapters, Emitting, FoldingInline, AppendingKeyed, Tallying):
    """For a store that keeps its units in one transaction with the log. Its harness is a `StoreWithLogHarness`."""

    @pytest.fixture
    async def log(self, store: StoreDriver, harness: StoreWithLogHarness) -> LogDriver:
        return await harness.log()

    async def test_sharing_transactions_with_the_log_is_promised(self, store: StoreDriver) -> None:
        assert store.facts.shares_transaction_with_log


class StagingStoreSuite(_Chapters, Staging):
    """For a store whose log is elsewhere, so that what is emitted is staged. Its harness is a `StoreHarness`."""

    async def test_sharing_transactions_with_the_log_is_not_promised(self, store: StoreDriver) -> None:
        assert not store.facts.shares_transaction_with_log


class SharedStoreSuite(StoreSuite, SharingStores, SharingEndpoints, SharingAccounts):
    """For a store that is kept, and that several processes may open. Its harness is a `SharedStoreHarness`, too."""
