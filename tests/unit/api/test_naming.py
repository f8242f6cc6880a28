from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from tidings.api.naming import UNNAMED, content_id, named, refuse_unnamed
from tidings.api.problems import Problem, Refusal
from tidings.events.envelope import Envelope

EVENT = Envelope(id=UNNAMED, source="web", type="order-placed", version=1, subject="1", data=b'{"a": 1}')


def test_the_id_is_the_same_for_ever() -> None:
    assert content_id(EVENT) == content_id(msgspec.structs.replace(EVENT, id="other", time="2026-01-01T00:00:00Z"))
    assert UUID(content_id(EVENT)).version == 5
    assert named(EVENT, None, 0).id == content_id(EVENT) == "f926a613-cdda-5980-99af-d3d2d7455299"


def test_whitespace_in_the_data_makes_no_other_event_but_anything_else_does() -> None:
    same = msgspec.structs.replace(EVENT, data=b'{"a":1}')
    others = [
        msgspec.structs.replace(EVENT, **change)
        for change in ({"source": "app"}, {"type": "x"}, {"subject": None}, {"data": None}, {"data": b'{"a":1.0}'})
    ]
    assert content_id(same) == content_id(EVENT)
    assert len({content_id(each) for each in [EVENT, *others]}) == 6


def test_events_without_an_id_are_refused_with_their_places() -> None:
    with pytest.raises(Refusal) as caught:
        refuse_unnamed([EVENT, msgspec.structs.replace(EVENT, id="1"), EVENT], "batch")
    assert caught.value.problem is Problem.IDEMPOTENCY_KEY_MISSING
    assert [pointer for pointer, _ in caught.value.errors] == ["/0/id", "/2/id"]


def test_a_caller_may_use_the_words_that_stand_for_no_id() -> None:
    refuse_unnamed([msgspec.structs.replace(EVENT, id="".join(list(UNNAMED)))], "binary")
