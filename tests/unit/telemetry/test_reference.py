"""What the reference and the alert rules say of metrics is what the code shows."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.unit.telemetry.scrape import scrape
from tests.unit.telemetry.shop import carry, opened_shop, placed
from tidings.telemetry import exposition
from tidings.telemetry.table import METRICS

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
NAMES = {metric.name for metric in METRICS}
SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def rules() -> list[dict[str, str]]:
    groups = yaml.safe_load((REFERENCE / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_page_lists_every_metric_with_its_kind_labels_and_meaning() -> None:
    page = (REFERENCE / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(tidings_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert rows == [
        (each.name, each.kind, ", ".join(f"`{label}`" for label in each.labels) or "none", each.help)
        for each in METRICS
    ]


async def test_what_is_shown_is_what_the_table_says() -> None:
    async with opened_shop() as opened:
        await opened.log.append([placed("a", "fail"), placed("b")])
        await carry(opened)
        shown = {name for name, _ in await scrape(opened)}
        text = exposition.text(await opened.telemetry.series()).decode()
    known = {each.name + suffix for each in METRICS for suffix in SUFFIXES[each.kind]}
    assert shown <= known
    assert dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)) == {each.name: each.kind for each in METRICS}
    assert len(re.findall(r"^# HELP \w+ .{10}", text, re.MULTILINE)) == len(METRICS)


def test_every_alert_asks_for_metrics_and_labels_that_there_are() -> None:
    labels = {each.name: set(each.labels) for each in METRICS}
    assert rules()
    for rule in rules():
        asked = set(re.findall(r"tidings_\w+", rule["expr"]))
        assert asked, rule
        assert asked <= NAMES, rule
        there = set().union(*(labels[name] for name in asked))
        used = set(re.findall(r"by \(([^)]*)\)", rule["expr"])) | {
            each.partition("=")[0] for each in re.findall(r"\{(\w+=)", rule["expr"])
        }
        words = {word.strip() for each in used for word in each.split(",")}
        assert words | set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= there, rule


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")  # type: ignore[index]
        assert {"summary", "action"} == set(rule["annotations"]), rule
    assert len({rule["alert"] for rule in rules()}) == len(rules())
