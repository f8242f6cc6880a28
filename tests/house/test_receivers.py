"""The reference of receivers says what the presets say."""

from __future__ import annotations

import re
from typing import get_args

from tests.house import receivers
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.verdict import Reason


def test_the_presets_are_described_as_they_are() -> None:
    assert receivers.PAGE.read_text("utf-8") == receivers.page()


def test_every_reason_is_described() -> None:
    table = receivers.page().partition("| reason |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", "".join(row.split("|")[1] for row in table.splitlines()[2:]))) == set(
        get_args(Reason)
    )


def test_every_preset_names_the_page_that_describes_it() -> None:
    assert [name for name, preset in PRESETS.items() if not preset.page.startswith("https://")] == []


def test_what_is_not_confirmed_is_said() -> None:
    text = receivers.page()
    assert [fact for preset in PRESETS.values() for fact in preset.unconfirmed if fact not in text] == []
