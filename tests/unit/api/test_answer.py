from __future__ import annotations

import json

import pytest
from tests.unit.api.scopes import ask, receiving, scope

from tidings.api.answer import Answer, Message, json_answer


async def test_an_answer_says_its_length() -> None:
    reply = await ask(Answer(200, ((b"x-a", b"1"),), b"abc"))
    assert (reply.status, reply.headers, reply.body) == (200, {"x-a": "1", "content-length": "3"}, b"abc")


async def test_a_304_has_no_length_and_a_head_no_body() -> None:
    assert (await ask(Answer(304))).headers == {}
    headed = await ask(Answer(200, (), b"abc"), "HEAD")
    assert (headed.headers, headed.body) == ({"content-length": "3"}, b"")


async def test_a_value_is_answered_as_compact_json() -> None:
    reply = await ask(json_answer({"a": [1, None]}, (b"x-a", b"1"), status=201))
    assert (reply.status, reply.body, reply.headers["content-type"]) == (201, b'{"a":[1,null]}', "application/json")
    assert json.loads(reply.body) == {"a": [1, None]}


async def test_a_caller_who_has_gone_is_no_error_but_any_other_failure_is() -> None:
    async def gone(_: Message) -> None:
        raise ConnectionResetError

    async def broken(_: Message) -> None:
        raise ValueError("no such header")

    await Answer(200)(scope(), receiving(b""), gone)
    with pytest.raises(ValueError, match="no such header"):
        await Answer(200)(scope(), receiving(b""), broken)
