"""What may be declared of a provider."""

from __future__ import annotations

import pytest

from tests.unit.reconciliation.declared import facts
from tidings.errors import DeclarationError


def test_versions_that_are_counters_are_refused_with_what_to_declare_instead() -> None:
    with pytest.raises(DeclarationError, match=r"version_is_time=False .*not supported yet.*EVENT_TIMED.*BARE"):
        facts(version_is_time=False)
