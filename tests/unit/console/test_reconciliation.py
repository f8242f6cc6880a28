"""Reconciliation in the console: what each key may see and change, and what no request makes it do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.browser.reconciling import Reconciled, provider_of, reconciled
from tests.browser.shop import open_shop
from tests.unit.console.browsing import Browser, browsing, key
from tests.unit.console.test_login import log_in
from tests.unit.reconciliation.party import SCOPE, Party, selling_app
from tests.unit.reconciliation.shop import Order, OrderGone, Orders, OrderSeen, orders_service
from tidings import App
from tidings.faces.scopes import run_object
from tidings.ports import Ports
from tidings.reconciliation.runs.taking import unreadable


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Reconciled]:
    async with reconciled(tmp_path) as found:
        yield found


@pytest.fixture
async def browser(made: Reconciled) -> AsyncIterator[Browser]:
    async with browsing(made.shop) as browser:
        yield browser


async def test_a_key_that_reads_and_one_that_runs_may_not_approve(browser: Browser, made: Reconciled) -> None:
    await log_in(browser, await key(browser.shop, "reconciliations:read", "reconciliations:write"))
    page = await browser.get(made.page)
    assert (page.status, "Your key may not approve them" in page.words, "/approve" in page.text) == (200, True, False)
    token = (await browser.get("/")).token
    refused = await browser.post(f"{made.page}/approve", {"token": token, "at_most": "12"})
    assert refused.status == 403


async def test_an_approval_needs_the_pages_own_token_and_a_number_that_is_enough(
    browser: Browser, made: Reconciled
) -> None:
    assert (await browser.post(f"{made.page}/approve", {"at_most": "12"})).status == 403
    for wrong in ("", "x", "-1", "9" * 8):
        assert (await browser.change(made.page, f"{made.page}/approve", at_most=wrong)).status == 400, wrong
    few = await browser.change(made.page, f"{made.page}/approve", at_most="11")
    assert (few.status, "12 deletes, more than 11" in few.words) == (409, True)
    assert (await browser.change(made.page, f"{made.page}/approve", at_most="12")).status == 303


async def test_what_is_not_there_is_said_to_be_missing(browser: Browser, made: Reconciled) -> None:
    for path in ("/reconciliation/nobody", "/reconciliation/till-orders/none"):
        assert (await browser.get(path)).status == 404, path
    assert (await browser.get(f"{made.page}?kind=nothing")).status == 400


async def test_pages_say_the_words_of_the_api_and_of_the_command_line(browser: Browser, made: Reconciled) -> None:
    listed = await browser.get("/reconciliation")
    scope = await browser.get("/reconciliation/till-orders")
    for word in ("Upserts as of, UTC", "Deletes as of, UTC", "Staleness", "Exceptions"):
        assert (word in listed.words, word in scope.words) == (True, True), word
    for word in ("Expected", "Started, UTC", "Proposed", "Appended", "o00 suspect: absent from a list"):
        assert word in scope.words, word
    run = await browser.get(made.page)
    for word in ("Held 12", "Consistent as of, UTC", "Findings, in the order", "Key Kind State Cause"):
        assert word in run.words, word
    plan = await browser.get(f"/reconciliation/till-orders/{made.plan.id}")
    assert "Consistent as of, UTC never" in plan.words


async def test_bounds_that_stand_still_are_told_with_why_and_what_to_do(browser: Browser, made: Reconciled) -> None:
    pages = ("/", "/reconciliation", "/reconciliation/till-orders")
    for path in pages:
        assert "stopped" not in (await browser.get(path)).words, path
    keys = {f"x{n:03}": unreadable(f"x{n:03}", 1) for n in range(101)}
    async with made.scope._running._holding.open() as (_, book, _record):
        await book.write_dirty(keys)
    first, listed, scope = [await browser.get(path) for path in pages]
    assert "stopped till-orders is right but for 113 items, so its bounds stand still." in first.words
    assert "till-orders holds 12 deletes: none is made until somebody approves." in first.words
    assert "held stopped" in listed.words
    assert "what is named below. With 113 exceptions, more than 100, both bounds stand still where they" in scope.words
    assert "Mend what most of them give as their reason, then run it" in scope.words


async def test_a_run_of_one_item_says_that_it_is_one(browser: Browser, made: Reconciled) -> None:
    run = await made.scope.run_key("o20")
    page = await browser.get(f"/reconciliation/till-orders/{run.id}")
    assert "One item. Started" in page.words


async def test_what_a_provider_did_not_keep_is_said_once(tmp_path: Path) -> None:
    provider = provider_of(30)
    provider.bend = lambda page: replace(page, rows=[*reversed(page.rows)])
    app = App(orders_service())
    app.reconcile("till-orders", Order, Orders(provider), events=[OrderSeen, OrderGone])
    async with open_shop(tmp_path, app) as shop, browsing(shop) as browser:
        run = await shop.opened.scopes["till-orders"].run("run", applies=True)
        assert run.breaches == ("order",)
        assert run_object(run, "till-orders")["breaches"] == ["order"]
        page = await browser.get(f"/reconciliation/till-orders/{run.id}")
        assert "declares: order. What the list does not show was asked for" in page.words


async def test_party_is_shown_with_what_it_holds_otherwise(tmp_path: Path) -> None:
    party = Party(Ports().clock)  # type: ignore[arg-type]
    app, _ = selling_app(party)
    party.items["x1"] = {"cents": 1, "note": "", "stock": 0}
    async with open_shop(tmp_path, app) as shop, browsing(shop) as browser:
        run = await shop.opened.scopes[SCOPE].run("run", applies=True)
        page = await browser.get(f"/reconciliation/{SCOPE}/{run.id}")
        assert (page.status, "unexpected" in page.words, "Asked" in page.words) == (200, True, True)
        page = await browser.get(f"/reconciliation/{SCOPE}")
        [link] = re.findall(rf'<a href="[^"]*/{run.id}"[^>]*>(.*?)</a>', page.text)
        assert re.fullmatch(r"<time[^>]*>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^<]*</time>", link)
        assert (page.status, "Whatever was pushed and answered by then the party holds" in page.words) == (200, True)
