"""Nothing is changed but by a form of ours, sent from one of our pages by the browser that was shown it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.shop import ORDERS
from tests.unit.console.browsing import Browser, browsing, browsing_a_shop
from tests.unit.operations.test_beginning import remove

PAUSE = "/consumers/stock/pause"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browsing_a_shop(tmp_path) as made:
        await made.shop.settled()
        yield made


async def paused(browser: Browser) -> str | None:
    return (await browser.shop.opened.store.checkpoints("stock"))[0].paused


async def test_a_form_from_our_own_page_changes_and_says_so_once(browser: Browser) -> None:
    done = await browser.change("/consumers/stock", PAUSE, reason="counting")
    assert (done.status, done.headers["location"]) == (303, "/console/consumers/stock")
    assert await paused(browser) == "counting"
    assert "stock is paused." in (await browser.get("/consumers/stock")).words
    assert "stock is paused." not in (await browser.get("/consumers/stock")).words


async def test_a_verification_counts_rows_and_tombstones_apart(tmp_path: Path) -> None:
    async with browsing_a_shop(tmp_path, is_busy=True) as browser:
        await browser.shop.settled()
        await browser.change("/views/orders.order", "/views/orders.order/verify")
        while "Ended" not in (page := await browser.get("/views/orders.order")).words:
            await asyncio.sleep(0.01)
    assert f". {len(ORDERS)} rows, 0 tombstones, " in page.words


async def test_of_a_new_key_of_two_halves_the_public_one_is_shown_to_be_passed_on(browser: Browser) -> None:
    first = await browser.shop.opened.endpoints.add({"via": "poll"}, id="two", kind="ed25519")
    made = await browser.change("/endpoints/two", "/endpoints/two/rotate", grace_hours="1")
    assert "s2 signs from now on." in made.words
    assert "whpk_" in made.words
    assert "whsk_" not in made.words
    assert first.public is not None
    assert first.public not in made.words


async def test_an_endpoint_s_page_shows_its_legacy_signature_without_the_secret(browser: Browser) -> None:
    legacy = {"preset": "github", "header": "X-Shop-Signature", "secret": "hush-hush"}
    await browser.shop.opened.endpoints.add({"via": "poll", "legacy": legacy}, id="old")
    page = await browser.get("/endpoints/old")
    assert '{"preset":"github","header":"X-Shop-Signature","prefix":null}' in page.words
    assert "hush" not in page.words


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ""}, {"origin": "http://127.0.0.1:1"},
     {"sec_fetch_site": "same-site"}, {"sec_fetch_site": "cross-site"}],
    ids=str,
)  # fmt: skip
async def test_a_form_of_another_site_is_refused_although_it_has_cookie_and_token(
    browser: Browser, headers: dict[str, str]
) -> None:
    token = (await browser.get("/consumers/stock")).token
    refused = await browser.post(PAUSE, {"token": token, "reason": "x"}, **headers)
    assert refused.status in (401, 403)
    assert "another site's page" in refused.words or "another origin" in refused.words
    assert await paused(browser) is None


async def test_a_form_without_the_token_of_its_own_browser_is_refused_and_told_what_to_do(browser: Browser) -> None:
    async with browsing(browser.shop) as other:
        foreign = (await other.get("/consumers/stock")).token
    await browser.get("/")
    for token in ("", "0" * 64, foreign, "é"):
        refused = await browser.post(PAUSE, {"token": token, "reason": "x"})
        assert refused.status == 403
        assert "load the page again, and send it once more" in refused.words
    own = (await browser.get("/consumers/stock")).token
    browser.cookies.clear()
    assert (await browser.post(PAUSE, {"token": own, "reason": "x"})).status == 403
    assert await paused(browser) is None


async def test_a_token_that_was_planted_together_with_its_cookie_is_that_of_another_browser(browser: Browser) -> None:
    """Cookies know no ports: another program on this machine can set ours, but not to a name that it knows a token to,
    unless it has asked for one; and then the origin of its page still gives it away."""
    browser.cookies["tidings-console"] = "planted"
    token = (await browser.get("/consumers/stock")).token
    assert browser.cookies["tidings-console"] != "planted"
    browser.cookies["tidings-console"] = "0" * 32
    assert (await browser.post(PAUSE, {"token": token, "reason": "x"})).status == 403


async def test_nothing_is_changed_by_get_and_no_form_is_read_that_is_none(browser: Browser) -> None:
    token = (await browser.get("/consumers/stock")).token
    assert (await browser.get(f"{PAUSE}?token={token}&reason=x")).status == 405
    for type, body in (("application/json", '{"reason":"x"}'), ("text/plain", f"token={token}&reason=x")):
        answer = await browser.post(PAUSE, body, content_type=type)  # type: ignore[arg-type]
        assert (answer.status, "This cannot be read" in answer.words) == (400, True)
    large = await browser.post(PAUSE, {"token": token, "reason": "x" * 70_000})
    assert (large.status, "more than 65,536 bytes" in large.words) == (413, True)
    many = "&".join(f"a{n}=1" for n in range(100))
    form = "application/x-www-form-urlencoded"
    assert (await browser.post(PAUSE, many, content_type=form)).status == 400  # type: ignore[arg-type]
    assert await paused(browser) is None


async def test_cookies_are_kept_from_scripts_and_from_other_sites(browser: Browser) -> None:
    cookie = (await browser.get("/")).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console" in cookie
    assert "set-cookie" not in (await browser.get("/")).headers


async def test_what_was_done_cannot_be_told_by_somebody_else(browser: Browser) -> None:
    await browser.get("/")
    for planted in ("RXZpbA==.0000", "RXZpbA==", ".", "é"):
        browser.cookies["tidings-console-told"] = planted
        assert "Evil" not in (await browser.get("/")).words


@pytest.mark.parametrize(
    ("path", "fields", "status", "words"),
    [
        (PAUSE, {"reason": " "}, 422, "Say why it is paused"),
        ("/consumers/nobody/pause", {"reason": "x"}, 404, "There is no consumer 'nobody'"),
        ("/consumers/orders.stock@1/resume", {}, 409, "folded by appends"),
        ("/consumers/stock/replay", {}, 422, "a position or a time, one of them"),
        ("/consumers/stock/replay", {"position": "1", "time": "2026-05-04T10:00:00Z"}, 422, "one of them"),
        ("/consumers/stock/replay", {"position": "-1"}, 422, "'-1' is no position"),
        ("/consumers/stock/replay", {"time": "yesterday"}, 422, "RFC 3339"),
        ("/consumers/shipping/replay", {"position": "1"}, 409, "may not be replayed"),
        ("/dead/redrive", {"consumer": "stock", "subject": "mug"}, 404, "There is no parked subject 'mug'"),
        ("/dead/redrive-all", {"state": "sleeping"}, 422, "'sleeping' is no state"),
        (
            "/dead/drop",
            {"consumer": "stock", "subject": "mug", "position": "1", "reason": "x"},
            404,
            "no parked subject",
        ),
        ("/dead/drop", {"consumer": "stock", "subject": "mug", "position": "", "reason": "x"}, 422, "which entry"),
        ("/dead/drop", {"consumer": "stock", "subject": "mug", "position": "1"}, 422, "Say why it is given up"),
        ("/deliveries/retry", {"key": "none"}, 404, "There is no delivery 'none'"),
        ("/deliveries/cancel", {"key": "none"}, 404, "There is no delivery 'none'"),
        ("/views/orders.nothing/verify", {}, 404, "There is no view 'orders.nothing'"),
    ],
)
async def test_what_cannot_be_done_says_why(
    browser: Browser, path: str, fields: dict[str, str], status: int, words: str
) -> None:
    answer = await browser.change("/consumers/stock", path, **fields)
    assert (answer.status, words in answer.words) == (status, True), answer.words


async def test_a_consumer_that_is_paused_says_that_resumed_it_is_expired(browser: Browser) -> None:
    await browser.change("/consumers/stock", PAUSE, reason="counting")
    await remove(browser.shop.opened.log, upto=(await browser.shop.opened.log.head()).position + 1)
    page = await browser.get("/consumers/stock")
    assert "Paused: counting" in page.words
    assert "Resumed, it reads nothing: entries up to" in page.words
