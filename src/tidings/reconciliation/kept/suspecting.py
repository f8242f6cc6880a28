"""What is said of items that a list does not show, once they were asked for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.reconciliation.kept.coding import Suspect
from tidings.reconciliation.kept.records import Run
from tidings.wording import counted

NAMED = 20
TWICE = "no other item is there by which answers could be checked: a second one, a period later, counts"


def asked_told(run: Run, left: Sequence[Suspect]) -> str:
    """Return why a run leaves open what it suspects, or why an approval has done nothing; nothing if there is none."""
    is_approval = run.at_most is not None
    if not left:
        return _nothing_told(run) if is_approval and not run.appended else ""
    marked = sum(each.missing is not None for each in left)
    if not marked or run.control:
        return f"{counted(len(left), 'item')} not listed, and no answer that can be believed says that they are gone"
    once = f", then approve it once more: tidings reconcile approve … {run.id}" if is_approval else ""
    return f"{counted(marked, 'item')} said to be gone, and {TWICE}{once}"


def _nothing_told(run: Run) -> str:
    if not run.suspects:
        return "nothing was to be done: all that was held is listed again"
    return "nothing was to be done: of what is not listed, all is there, or was decided meanwhile"


def changed_told(run: Run, missing: Sequence[str]) -> str:
    """Return why an approval does not hold for what is missing now."""
    more = sorted({*missing} - {*run.keys})
    if not more:
        return f"{counted(len(missing), 'item')} not listed, which is more than the {run.at_most} that were approved"
    return f"what is missing now is not what was approved: {counted(len(more), 'more item')} not listed: {named(more)}"


def unread_told(run: Run) -> str:
    """Return which items a run could not read, and what does not follow from that; nothing if there was none."""
    told = []
    if run.nameless:
        page = "its page proves" if run.nameless == 1 else "their pages prove"
        bound = "the bound of upserts stands" if run.mode == "changed" else "both bounds stand"
        told.append(f"{counted(run.nameless, 'item')} listed without a key, so {page} nothing, and {bound} still")
    if run.unreadable:
        told.append(
            f"{counted(run.unreadable, 'item')} cannot be read and {'is' if run.unreadable == 1 else 'are'} excepted"
        )
    return f"{'; '.join(told)}{': ' if run.nameless else ', such as '}{run.unread}" if told else ""


def named(keys: Sequence[str]) -> str:
    """Return keys as people read them: so many, and how many more there are."""
    more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more
