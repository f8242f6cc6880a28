from __future__ import annotations

import asyncio

import pytest
from tests.unit.api.scopes import receiving, scope

from tidings.api.answer import Message, Receive, Scope
from tidings.api.bodies import LARGE_BYTES_MAX, SMALL_BYTES, Bodies, DisconnectedError
from tidings.api.problems import Problem, Refusal, answer_to
from tidings.errors import MalformedError, SlowBodyError
from tidings.ports import SystemClock

MOST = 100


class Seconds(SystemClock):
    """A clock whose seconds pass when the test says so."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        assert seconds == 1
        await self._next.wait()

    async def pass_one(self) -> None:
        told, self._next = self._next, asyncio.Event()
        told.set()
        await turns()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def read_body(scope: Scope, receive: Receive, *, most: int) -> bytes:
    return await Bodies(SystemClock()).read(scope, receive, most=most)


async def refused(*chunks: bytes, **headers: str) -> Problem:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(Refusal) as caught:
        await read_body(scope(headers=sent), receiving(*chunks), most=MOST)
    return caught.value.problem


@pytest.mark.parametrize("chunks", [(b"",), (b"x" * 100,), (b"x" * 60, b"y" * 40), (b"x" * 60, b"", b"y")])
async def test_a_body_up_to_the_limit_is_read_whole(chunks: tuple[bytes, ...]) -> None:
    assert await read_body(scope(), receiving(*chunks), most=MOST) == b"".join(chunks)


async def test_a_body_over_the_limit_is_refused() -> None:
    assert await refused(b"x" * 101) is Problem.BODY_TOO_LARGE
    assert await refused(b"x" * 60, b"y" * 41) is Problem.BODY_TOO_LARGE


async def test_a_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    for length in ("101", "9" * 30):
        with pytest.raises(Refusal):
            await read_body(scope(headers={"content-length": length}), receive, most=MOST)


async def test_peak_memory_stays_below_twice_the_limit() -> None:
    """An endless body is given up one chunk after the limit: what is held then is at most the limit and one chunk."""
    handed_over = 0

    async def endless() -> Message:
        nonlocal handed_over
        handed_over += 1
        return {"type": "http.request", "body": b"x" * 64, "more_body": True}

    with pytest.raises(Refusal):
        await read_body(scope(), endless, most=64 * 10)
    assert handed_over == 11


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x-unknown", ""])
async def test_a_coded_body_is_refused_unread(coding: str) -> None:
    assert await refused(b"x", content_encoding=coding) is Problem.UNSUPPORTED_MEDIA_TYPE


async def test_identity_is_no_coding() -> None:
    assert await read_body(scope(headers={"content-encoding": "Identity"}), receiving(b"x"), most=MOST) == b"x"


async def test_a_caller_who_goes_away_is_noticed() -> None:
    for chunks in ((), (b"x",)):
        with pytest.raises(DisconnectedError):
            await read_body(scope(), receiving(*chunks, then={"type": "http.disconnect"}), most=MOST)


@pytest.mark.parametrize("length", ["0", "2", "4", "100"])
async def test_a_body_of_another_length_than_its_header_says_is_refused(length: str) -> None:
    with pytest.raises(MalformedError, match=f"3 bytes here, but Content-Length says {length}"):
        await read_body(scope(headers={"content-length": length}), receiving(b"ab", b"c"), most=MOST)
    assert await read_body(scope(headers={"content-length": "3"}), receiving(b"ab", b"c"), most=MOST) == b"abc"


@pytest.mark.parametrize("lengths", [["3", "4"], ["three"], [""], ["-3"], ["+3"]])
async def test_a_length_that_is_none_is_refused(lengths: list[str]) -> None:
    headers = [("content-length", length) for length in lengths]
    with pytest.raises(MalformedError):
        await read_body(scope(headers=headers), receiving(b"abc"), most=MOST)


async def test_a_body_that_another_server_lost_at_an_upgrade_header_is_refused() -> None:
    headers = {"upgrade": "h2c", "transfer-encoding": "chunked"}
    with pytest.raises(MalformedError, match="Upgrade"):
        await read_body(scope(headers=headers), receiving(b""), most=MOST)
    assert await read_body(scope(headers=headers), receiving(b"x"), most=MOST) == b"x"


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "identity", "x"])
async def test_a_coded_transfer_is_refused(coding: str) -> None:
    assert await refused(b"x", transfer_encoding=coding) is Problem.UNSUPPORTED_MEDIA_TYPE
    assert await read_body(scope(headers={"transfer-encoding": "Chunked"}), receiving(b"x"), most=MOST) == b"x"


class Upload:
    """One body that comes byte by byte, and is waited for."""

    def __init__(self, bodies: Bodies) -> None:
        self.chunks: asyncio.Queue[Message] = asyncio.Queue()
        self.task = asyncio.create_task(bodies.read(scope(), self.chunks.get, most=MOST))

    async def send(self, byte: bytes, *, more: bool = True) -> None:
        self.chunks.put_nowait({"type": "http.request", "body": byte, "more_body": more})
        await turns()


async def test_a_body_without_a_byte_for_too_long_is_given_up_and_the_connection_with_it() -> None:
    clock = Seconds()
    upload = Upload(Bodies(clock, silence=3))
    await upload.send(b"x")
    for _ in range(3):
        await upload.send(b"")
        await clock.pass_one()
    assert not upload.task.done()
    await clock.pass_one()
    with pytest.raises(SlowBodyError) as caught:
        await upload.task
    answer = answer_to(caught.value, instance="/events")
    assert (answer.status, (b"connection", b"close") in answer.headers) == (408, True)


async def test_a_body_that_somebody_else_reads_piece_by_piece_is_given_up_too_and_not_once_it_is_whole() -> None:
    clock, chunks = Seconds(), asyncio.Queue[Message]()
    bodies = Bodies(clock, silence=1)
    receive = bodies.watched(chunks.get)
    for byte, more in ((b"x", True), (b"y", False)):
        piece = asyncio.ensure_future(receive())
        await turns()
        await clock.pass_one()
        assert len(bodies) == 1
        chunks.put_nowait({"type": "http.request", "body": byte, "more_body": more})
        assert (await piece)["body"] == byte
    leaving, slow = (asyncio.ensure_future(each()) for each in (receive, bodies.watched(asyncio.Queue[Message]().get)))
    await turns()
    assert len(bodies) == 1
    for _ in range(2):
        await clock.pass_one()
    with pytest.raises(SlowBodyError, match="no byte"):
        await slow
    assert not leaving.done()
    leaving.cancel()


async def test_a_body_of_which_nothing_ever_comes_is_given_up_too() -> None:
    clock = Seconds()
    upload = Upload(Bodies(clock, silence=0))
    await turns()
    await clock.pass_one()
    with pytest.raises(SlowBodyError, match="no byte"):
        await upload.task


async def test_a_body_that_drips_is_given_up_in_the_end() -> None:
    clock = Seconds()
    upload = Upload(Bodies(clock, silence=3, whole=8))
    for _ in range(8):
        await upload.send(b"x")
        await clock.pass_one()
    assert not upload.task.done()
    await clock.pass_one()
    with pytest.raises(SlowBodyError, match="8 s"):
        await upload.task


async def test_a_body_that_comes_slowly_but_comes_is_read_whole_and_counted_as_on_its_way_until_then() -> None:
    clock = Seconds()
    bodies = Bodies(clock, silence=1)
    upload = Upload(bodies)
    for _ in range(5):
        await upload.send(b"x")
        await clock.pass_one()
        assert len(bodies) == 1
    await upload.send(b"y", more=False)
    assert await upload.task == b"xxxxxy"
    assert len(bodies) == 0


async def test_the_time_of_a_second_body_begins_with_itself() -> None:
    clock = Seconds()
    bodies = Bodies(clock, silence=1)
    first = Upload(bodies)
    await first.send(b"x", more=False)
    await clock.pass_one()
    second = Upload(bodies)
    await turns()
    await clock.pass_one()
    await second.send(b"y", more=False)
    assert (await first.task, await second.task) == (b"x", b"y")


async def test_whoever_else_cancels_the_request_is_obeyed() -> None:
    bodies = Bodies(SystemClock())
    upload = Upload(bodies)
    await turns()
    upload.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload.task
    assert len(bodies) == 0


async def test_large_bodies_on_their_way_have_a_bound_together_and_small_ones_none() -> None:
    """What the first 64 KiB hold is bounded by the number of connections, so it does not count."""
    bodies, size = Bodies(SystemClock()), SMALL_BYTES + 8 * 1024 * 1024
    most = LARGE_BYTES_MAX // (size - SMALL_BYTES)
    waits = asyncio.Event()

    def slow(size: int) -> Receive:
        messages = [{"type": "http.request", "body": b"x" * size, "more_body": True}, {"type": "http.request"}]

        async def receive() -> Message:
            if len(messages) == 1:
                await waits.wait()
            return messages.pop(0)

        return receive

    async def begun(size: int) -> asyncio.Task[bytes]:
        task = asyncio.create_task(bodies.read(scope(), slow(size), most=2 * size))
        await turns()
        return task

    held = [await begun(size) for _ in range(most)]
    with pytest.raises(Refusal) as refused:
        await (await begun(size))
    assert refused.value.problem is Problem.OVERLOADED
    held += [await begun(SMALL_BYTES) for _ in range(3)]
    waits.set()
    assert {len(await each) for each in held} == {size, SMALL_BYTES}
    assert len(await (await begun(size))) == size  # they hold nothing any more
