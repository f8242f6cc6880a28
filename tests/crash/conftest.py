from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.crash.oracle", "tests.crash.shop_oracle", "tests.crash.random_kills")
