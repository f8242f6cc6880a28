"""The browser that the tests of pages use is a real one, and tells what is wrong with a page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser import chromium
from tests.browser.axe import violations

ROOT = Path(__file__).resolve().parents[2]
SOUND = "<!doctype html><html lang=en><title>Sound</title><main><h1>Sound</h1><p>Text</p></main>"
POOR = "<!doctype html><title>Poor</title><main><h1>Poor</h1><img src=''><p style='color:#eee'>Pale</p></main>"


async def test_a_page_is_shown_and_its_scripts_run(page: Page) -> None:
    await page.set_content(SOUND + "<script>document.querySelector('p').textContent = 'Run'</script>")
    await expect(page.get_by_role("paragraph")).to_have_text("Run")


async def test_what_keeps_people_out_is_found(page: Page) -> None:
    await page.set_content(SOUND)
    assert await violations(page) == []
    await page.set_content(POOR)
    found = {line.partition(":")[0] for line in await violations(page)}
    assert found == {"html-has-lang", "image-alt", "color-contrast"}


def test_a_missing_browser_fails_with_the_way_to_get_one() -> None:
    without = {"PATH": "/nowhere", "HOME": "/nowhere"}
    tests = [sys.executable, "-m", "pytest", __file__, "-k", "scripts_run"]
    for environment, told in ((without, chromium.MISSING), ({chromium.VARIABLE: "/no/chrome"}, "/no/chrome")):
        ended = subprocess.run(tests, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert ended.returncode != 0
        assert told in ended.stdout + ended.stderr
