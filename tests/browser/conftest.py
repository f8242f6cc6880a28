"""A real, headless Chromium for the tests of pages.

    async def test_the_page_says_so(page: Page) -> None:
        await page.goto(url)
        await expect(page.get_by_role("heading", name="Log")).to_be_visible()

`page` is a tab of a fresh profile. When the test ends it fails if a script raised, if the page broke its own content
security policy, or if anything was asked of another host than this machine. `browsing` opens more tabs, each with a
profile of its own and the options of Playwright's `new_context`: `await browsing(java_script_enabled=False)`,
`color_scheme="dark"`, `viewport={"width": 360, "height": 740}`. `violations(page)` in `tests.browser.axe` finds what
keeps people out. All coroutines here share one event loop, so a server may run in the test's own process:
`async with tests.acceptance.http_server.serving(app, settings) as caller: await page.goto(caller.url)`.

Wait with `expect(…)`, which looks again until it holds, and never by sleeping. The browser is found, or installed by
`make test`, as `tests.browser.chromium` says; without one these tests fail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright, expect
from pytest_asyncio import is_async_test

from tests.browser.chromium import MISSING, find

HERE = Path(__file__).parent
SLOWEST_MS = 20_000
LOCAL = ("127.0.0.1", "localhost", "[::1]")

Browsing = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have all tests of this folder, and so the browser, share one event loop."""
    for item in items:
        if HERE in item.path.parents and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = find()
    if program is None:
        pytest.fail(MISSING, pytrace=False)
    expect.set_options(timeout=SLOWEST_MS)
    async with async_playwright() as playwright:
        arguments = ["--disable-dev-shm-usage"]
        started = await playwright.chromium.launch(executable_path=program, args=arguments)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browsing(browser: Browser) -> AsyncIterator[Browsing]:
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    async def browse(**options: Any) -> Page:
        context = await browser.new_context(**options)
        context.set_default_timeout(SLOWEST_MS)
        contexts.append(context)
        page = await context.new_page()
        _watch(page, wrong)
        return page

    yield browse
    for context in contexts:
        await context.close()
    assert wrong == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(browsing: Browsing) -> Page:
    return await browsing()


def _watch(page: Page, wrong: list[str]) -> None:
    """Note what no page may do."""

    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            wrong.append(message.text)

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in (*LOCAL, "::1"):
            wrong.append(f"{page.url} asked for {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on("request", asked)
