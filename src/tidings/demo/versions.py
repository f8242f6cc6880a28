"""What became of the versions: which were written, who was handed which, and what was refused on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tidings.demo.client import Reader, Tally
from tidings.demo.plan import Plan
from tidings.demo.report import Line
from tidings.demo.rollout import PAID, WRITTEN, Story, in_stages
from tidings.demo.traffic import BOOKMARKED
from tidings.demo.truth import Rows
from tidings.demo.visitors import decide
from tidings.wording import counted

TOLD = ("users", "told")
Written = Sequence[tuple[int, str | None]]
"""Of each event its version, and its cause."""


async def version_lines(plan: Plan, story: Story, tally: Tally, reader: Reader) -> list[Line]:
    """Compare what was written, read and refused with what had to be."""
    written = await reader.versions(BOOKMARKED)
    return [
        compare_read(written, await reader.table(*TOLD, key=("event",))),
        compare_desk(plan, written),
        compare_wrong_order(story.wrong),
        compare_end(story.retired, told_anew=tally.told_anew, under_way=story.under_way),
        compare_old_machines(plan, await reader.versions(PAID)),
    ]


def compare_read(written: Written, rows: Rows) -> Line:
    """Every bookmark was handed to the readers once, never as an older version than it was written in."""
    kept = Counter(version for version, _ in written)
    read = Counter(row["told"] for row in rows.values())
    backwards = [row for row in rows.values() if row["read"] < row["told"]]
    as_told = ", ".join(f"{kept[version]:,} as {version}" for version in sorted(kept))
    handed = sorted({row["read"] for row in rows.values()})
    found = f"bookmarks written {as_told}; each read once, as {' or '.join(map(str, handed))}, as its reader accepts"
    wrong = [f"written {dict(kept)}, read {dict(read)}"] if kept != read else []
    wrong += [f"{len(backwards)} read as an older version: {backwards[0]}"] if backwards else []
    wrong += [] if kept.keys() == set(WRITTEN) else [f"not all versions were written: {dict(kept)}"]
    return Line("versions", found, not wrong, "; ".join(wrong))


def compare_desk(plan: Plan, written: Written) -> Line:
    """The desk wrote what was open in each stage, whatever its release has a class for."""
    version_of = {cause: version for version, cause in written if cause is not None}
    decided = {each.wish.id for each in decide(plan.wishes)[0] if each.type == BOOKMARKED}
    wrong, counts = [], list[int]()
    for due, part in zip(WRITTEN, in_stages(plan.wish_requests()), strict=True):
        ids = {id for request in part for _, id in request.carries} & decided
        counts.append(len(ids))
        wrong += [f"{id}: {version_of.get(id)} instead of {due}" for id in sorted(ids) if version_of.get(id) != due]
    told = ", ".join(f"{count} as {due}" for count, due in zip(counts, WRITTEN, strict=True))
    return Line("rollout", f"readers first, then the desk, which wrote {told}", not wrong, "; ".join(wrong[:3]))


def compare_wrong_order(answer: Mapping[str, Any]) -> Line:
    """A version that not all readers accept did not open, and it was said who does not."""
    reasons = [each for each in answer.get("reasons", ()) if each["code"] == "consumer-does-not-accept"]
    who = sorted({f"{each['consumer']} accepts {' '.join(map(str, each['accepts']))}" for each in reasons})
    found = f"3 before its readers: {answer.get('answer', 'not asked')}, {'; '.join(who)}"
    return Line("wrong order", found, answer.get("answer") == "no" and bool(reasons), f"{answer}")


def compare_end(answer: Mapping[str, Any], *, told_anew: int, under_way: int) -> Line:
    """Version 1 was retired, and whoever still told it was told which one to tell."""
    is_right = answer.get("answer") == "ok"
    found = (
        f"1 {'is' if is_right else 'is not'} retired; {counted(under_way, 'entry', 'entries')} of it under way when "
    )
    found += f"its readers changed; refused, and told in another: {told_anew:,}"
    why = "; ".join(f"{each['code']}: {each.get('text', each)}" for each in answer.get("reasons", ()))
    return Line("end of 1", found, is_right, why)


def compare_old_machines(plan: Plan, written: Written) -> Line:
    """What Till's older machines told is kept as they told it."""
    due = len({telling.id for telling in plan.tellings if telling.is_old})
    kept = Counter(version for version, _ in written)
    found = f"{kept[1]:,} of {counted(due, 'payment')} kept as Till's older machines tell them, and {kept[2]:,} others"
    return Line("old webhooks", found, kept[1] == due)
