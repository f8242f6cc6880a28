from __future__ import annotations

import gc
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import memory
from tests.postgres.fixtures import bare_postgres_url, making, pooled_postgres_url, pooler, postgres, postgres_url
from tests.scale import SCALE

# Before any test imports it: what the conformance suites find is said as by a test's own `assert`.
pytest.register_assert_rewrite("tidings.conformance")

__all__ = ["bare_postgres_url", "making", "pooled_postgres_url", "pooler", "postgres", "postgres_url"]

# A shell that runs the tests in the background, and `nohup`, have these ignored, and each process begun here would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # by which PgBouncer is ended

memory.move_in()

# A loaded machine is slow, not wrong: no example fails by the time it takes.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look at thousands of collected tests for cycles neither while they are collected nor whenever one has run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give a test that is made larger as much longer: the usual time would end it before it has seen anything."""
    if SCALE > 1:
        for item in items:
            item.add_marker(pytest.mark.timeout(float(config.getini("timeout")) * SCALE))
