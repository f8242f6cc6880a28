from __future__ import annotations

import pytest

from tests.unit.operations.stage import Stage
from tidings.errors import ConflictError, EnvelopeError, InvalidDataError, MalformedError, UnknownTypeError
from tidings.operations.emit import Given, emit_event, envelope_of


def given(data: bytes = b'{"order_id": "a", "total": 1}', **fields: object) -> Given:
    return Given(**{"type": "order-placed", "source": "/me", "data": data, **fields})  # type: ignore[arg-type]


async def emitted(stage: Stage, said: Given) -> tuple[int, str]:
    kept = await emit_event(
        stage.log, stage.opened.retelling, envelope_of(stage.opened.catalog, stage.opened.ports, said)
    )
    return kept.position, kept.outcome


async def test_an_event_is_appended_once_under_its_id(stage: Stage) -> None:
    assert await emitted(stage, given(id="1")) == (1, "appended")
    assert await emitted(stage, given(id="1")) == (1, "duplicate")
    with pytest.raises(ConflictError):
        await emitted(stage, given(b'{"order_id": "a", "total": 2}', id="1"))


async def test_without_an_id_each_is_another_event(stage: Stage) -> None:
    assert await emitted(stage, given()) == (1, "appended")
    assert await emitted(stage, given()) == (2, "appended")


async def test_the_data_is_kept_as_it_was_given(stage: Stage) -> None:
    await emitted(stage, given(b'{ "total":1,"order_id":"a" }', id="1", time="2026-05-04T10:00:00Z"))
    entry = await stage.log.find("/me", "1")
    assert entry is not None
    assert entry.envelope.data == b'{ "total":1,"order_id":"a" }'
    assert (entry.envelope.subject, entry.envelope.time) == ("a", "2026-05-04T10:00:00Z")


async def test_no_data_is_told_as_every_face_tells_it(stage: Stage) -> None:
    with pytest.raises(InvalidDataError, match=r"^there is no data; "):
        envelope_of(stage.opened.catalog, stage.opened.ports, given(b""))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (given(b"{"), MalformedError),
        (given(b'{"order_id": 3, "total": 1}'), InvalidDataError),
        (given(type="order-lost"), UnknownTypeError),
        (given(version=2), UnknownTypeError),
        (given(subject="b"), EnvelopeError),
        (given(time="yesterday"), EnvelopeError),
        (given(source=" "), EnvelopeError),
    ],
)
async def test_what_cannot_be_kept_is_refused(stage: Stage, said: Given, error: type[Exception]) -> None:
    with pytest.raises(error):
        await emitted(stage, said)
    assert (await stage.log.head()).position == 0
