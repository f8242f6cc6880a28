"""What is said of items that a list does not show, once they were asked for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tidings.reconciliation.kept.coding import Suspect
from tidings.reconciliation.kept.records import HELD_NAMED, Run
from tidings.wording import counted

NAMED = 20
TWICE = "no other item is there by which answers could be checked: a second one, a period later, counts"


def is_approved(run: Run, suspect: Suspect) -> bool:
    """Say whether an approval is of this one: it is among those that were shown, and was not listed since."""
    return (not run.keys or suspect.key in run.keys) and (run.upto is None or suspect.epoch <= run.upto)


def holding(run: Run, suspects: Sequence[Suspect], epoch: int) -> Run:
    """Return a run that holds these. `epoch`: of who runs it."""
    keys = sorted(each.key for each in suspects)
    return replace(run, held=tuple(keys[:HELD_NAMED]), held_more=len(keys[HELD_NAMED:]), epoch=epoch)


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
        return "nothing was to be done: what was held is listed again, or is gone from here already"
    return "nothing was to be done: of what is not listed, all is there, or was decided meanwhile"


def others_told(others: Sequence[Suspect]) -> str:
    """Return which items are not listed that nobody has approved; nothing if there is none."""
    if not others:
        return ""
    keys = sorted(each.key for each in others)
    return f"{counted(len(keys), 'more item')} not listed, which nobody has approved: {named(keys)}"


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


def named(keys: Sequence[str], *, count: int = 0) -> str:
    """Return keys as people read them: so many, and how many more there are. `count`: of all, if these are not all."""
    shown = keys[:NAMED]
    left = max(len(keys), count) - len(shown)
    return ", ".join(shown) + (f" and {left:,} more" if left else "")
