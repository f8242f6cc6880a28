"""Whatever events hold is text on every page: no script of theirs runs, and nothing of theirs can hide."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

from playwright.async_api import Page, expect

from tests.browser.conftest import Browsing
from tests.browser.shop import Shop, open_shop
from tidings import App, Context, NotRetryable, Service, event
from tidings.operations.pausing import pause
from tidings.services.delivery import Delivery

ALARM = "window.wounded = true"
PAYLOADS = (
    f"<script>{ALARM}</script>",
    f"<img src=x onerror='{ALARM}'>",
    f'"><svg onload="{ALARM}">',
    f"' autofocus onfocus='{ALARM}' x='",
    f"</title></textarea></script><script>{ALARM}</script>",
    f"javascript:{ALARM}",
    f"{{{{ {ALARM} }}}}{{% raw %}}",
    "\u202egnp.exe \u2066hidden\u2069 \u200b\ufeff",
    "<base href=https://evil.example/><meta http-equiv=refresh content=0;url=https://evil.example>",
    f"<a href='javascript:{ALARM}'>click</a><iframe srcdoc='<script>parent.{ALARM}</script>'></iframe>",
    "مرحبا \u200f<b>x</b>",
)
IN_DATA = "\u0000\u001b[31m\u0007"
HIDDEN = "[\\u202a-\\u202e\\u2066-\\u2069\\u200b-\\u200f\\ufeff\\u0000\\u001b]"


@event("note-written", subject="title")
class NoteWritten:
    title: str
    text: str


def notes() -> App:
    """A service that keeps notes as they are, refuses each, and calls the outside in vain, with words of theirs."""
    service = Service("notes")

    @service.view(key=("title",), mode="inline")
    class Note:
        title: str
        text: str

    @service.fold(Note, NoteWritten)
    def kept(row: Note | None, event: NoteWritten) -> Note:
        return Note(event.title, event.text.replace("\u0000", ""))  # which no column keeps

    @service.delivery
    async def send(payload: dict[str, str], delivery: Delivery) -> None:
        raise NotRetryable(payload["text"])

    @service.on(NoteWritten)
    async def deliver(event: NoteWritten, ctx: Context) -> None:
        await ctx.deliver(send, {"text": event.text})

    refusing = Service("refusing")

    @refusing.on(NoteWritten)
    async def refuse(event: NoteWritten, ctx: Context) -> None:
        raise NotRetryable(f"{event.title} {event.text}")

    return App(service, refusing)


async def written(shop: Shop, payload: str, n: int) -> str:
    """Publish a note that holds the payload wherever it may; return its id."""
    id = f"{payload} {n}"
    await shop.opened.publish(NoteWritten(payload, payload + IN_DATA), source=f"/x?{quote(payload)}", id=id, time=None)
    return id


EVERYTHING = ("/", "/log", "/consumers", "/consumers/refusing", "/views/notes.note", "/dead", "/deliveries")


def pages(payload: str, id: str) -> list[str]:
    """Return the paths of the pages that are about one note, or have its words in their address."""
    named = urlencode({"source": f"/x?{quote(payload)}", "id": id})
    asked = urlencode({"type": payload, "source": payload, "subject": payload})
    return [
        f"/event?{named}",
        f"/log?{asked}",
        f"/views/notes.note?{urlencode({'where-title': payload})}",
        f"/dead/subject?{urlencode({'consumer': 'refusing', 'subject': payload})}",
        f"/consumers/{quote(payload, safe='')}",
    ]


async def harm(page: Page) -> object:
    """Return what of the payloads came to life; None if nothing."""
    return await page.evaluate(
        f"""() => {{
            const main = document.querySelector("main");
            const strange = ["main script", "main iframe", "main svg", "main img", "main b", "base", "main [onerror]",
                "main [onload]", "main [onfocus]", "meta[http-equiv]"].join();
            if (window.wounded) return "a script ran";
            if (document.querySelector(strange)) return document.querySelector(strange).outerHTML;
            if ([...document.links].some((link) => link.protocol === "javascript:")) return "a link would run";
            if (/{HIDDEN}/.test(main.innerText)) return "something hides: " + main.innerText;
            return null;
        }}"""
    )


async def test_stored_xss(tmp_path: Path, browsing: Browsing) -> None:
    page = await browsing()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    async with open_shop(tmp_path, notes()) as shop:
        ids = {payload: await written(shop, payload, n) for n, payload in enumerate(PAYLOADS)}
        await shop.settled()
        await pause(shop.opened.store, shop.opened.services, "refusing", reason=PAYLOADS[0], who="cli")
        seen = 0
        for path in [*EVERYTHING, *(path for payload, id in ids.items() for path in pages(payload, id))]:
            await page.goto(shop.url + path)
            assert await harm(page) is None, path
            assert page.url.startswith(shop.url), path
            seen += "wounded" in await page.get_by_role("main").inner_text()
        assert seen > len(PAYLOADS) * 3  # it was there to be seen, as text
    assert all(url.startswith((shop.caller.url, "data:")) for url in asked)


async def test_what_comes_live_is_text_too(tmp_path: Path, page: Page) -> None:
    async with open_shop(tmp_path, notes()) as shop:
        await page.goto(f"{shop.url}/log")
        await expect(page.get_by_text("Waiting for events…")).to_be_visible()
        for n, payload in enumerate(PAYLOADS):
            await written(shop, payload, n)
        await expect(page.get_by_role("table").locator("tbody tr")).to_have_count(len(PAYLOADS))
        assert await harm(page) is None
        await expect(page.get_by_role("cell", name=PAYLOADS[0], exact=True)).to_have_count(1)


async def test_given_up_entries_keep_their_reason_as_text(tmp_path: Path, page: Page) -> None:
    async with open_shop(tmp_path, notes()) as shop:
        await written(shop, PAYLOADS[0], 0)
        await shop.settled()
        while not await shop.opened.store.parked():
            await shop.opened.ports.clock.sleep(0.02)
        subject = urlencode({"consumer": "refusing", "subject": PAYLOADS[0]})
        await page.goto(f"{shop.url}/dead/subject?{subject}")
        await page.get_by_label("Reason, kept in the audit").fill(PAYLOADS[1] + PAYLOADS[7])
        await page.get_by_role("button", name="Drop").click()
        await expect(page.get_by_role("region", name="What operators changed")).to_contain_text(PAYLOADS[1])
        assert await harm(page) is None
