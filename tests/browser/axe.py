"""What keeps people out of a page, as far as axe-core can tell: WCAG 2.2, levels A and AA, and its best practices."""

from __future__ import annotations

from importlib.resources import files

from playwright.async_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RUN = "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']}).then(found => found.violations)"


async def violations(page: Page) -> list[str]:
    """Return one line for each rule and element at fault; the page is looked at as it stands, colours included."""
    await page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in await page.evaluate(RUN, list(TAGS))
        for node in rule["nodes"]
    ]
