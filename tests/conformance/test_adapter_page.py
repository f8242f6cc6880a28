"""What `docs/how-to/test-an-adapter.md` shows, run as it stands there on the adapter of `reconcile-stripe.md`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


def test_the_adapter_of_the_page_passes_the_suite(tmp_path: Path) -> None:
    [program] = re.findall(
        r"```python\n(# payments.py\n.*?)```", (HOW_TO / "reconcile-stripe.md").read_text(), re.DOTALL
    )
    [suite] = re.findall(r"```python\n(import pytest\n.*?)```", (HOW_TO / "test-an-adapter.md").read_text(), re.DOTALL)
    (tmp_path / "payments.py").write_text(program)
    (tmp_path / "test_payments.py").write_text(suite)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert ran.returncode == 0, ran.stdout[-3_000:]
    assert "passed" in ran.stdout
