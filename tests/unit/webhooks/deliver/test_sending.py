"""Attempts against real receivers that behave as badly as receivers do; limits are small so that nobody waits."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.webhooks.deliver.parties import (
    LOOPBACK,
    OK,
    Names,
    Party,
    Speaking,
    certified,
    listening,
    request,
    tunnel_to,
)
from tidings.ports import SystemClock
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.excerpt import KEPT_BYTES, excerpt_of, headers_of
from tidings.webhooks.deliver.limits import Limits
from tidings.webhooks.deliver.sending import Sender

PATIENT = Limits(total_s=20, connect_s=5)
HASTY = Limits(total_s=0.5, connect_s=0.4)


async def sent(
    party: Party, headers: Sequence[tuple[str, str]] = (), limits: Limits = PATIENT, **options: Any
) -> Answer | Failure:
    async with Sender(SystemClock(), LOOPBACK, limits=limits, **options) as sender:
        return await sender.send(f"http://127.0.0.1:{party.port}/hook?a=1", headers, b'{"a": 1}')


async def answered(speak: Speaking | bytes, limits: Limits = PATIENT) -> Answer:
    async with listening(speak=speak) as party:
        result = await sent(party, limits=limits)
    assert isinstance(result, Answer), result
    return result


async def failed(speak: Speaking | bytes, limits: Limits = PATIENT) -> Failure:
    async with listening(speak=speak) as party:
        result = await sent(party, limits=limits)
    assert isinstance(result, Failure), result
    return result


def saying(*parts: bytes, forever: bool = False, end: bytes | None = None) -> Speaking:
    """Say the parts, then the last one for ever, then hang, or end with what is left to say."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        while forever:
            writer.write(parts[-1])
            await writer.drain()
        if end is None:
            await reader.read()
        else:
            writer.write(end)

    return speak


async def test_the_request_is_what_was_given_and_nothing_else() -> None:
    async with listening() as party:
        result = await sent(party, [("content-type", "application/json"), ("webhook-id", "msg_1"), ("X-A", "b")])
    assert isinstance(result, Answer)
    assert (result.status, result.body.text, result.body.truncated, result.cut) == (200, "ok", False, None)
    assert result.address == f"127.0.0.1:{party.port}"
    assert result.duration_us > 0
    head, _, body = party.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /hook?a=1 HTTP/1.1"
    assert body == b'{"a": 1}'
    assert "X-A: b" in lines
    assert {(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)} == {
        ("host", f"127.0.0.1:{party.port}"),
        ("accept-encoding", "identity"),
        ("content-type", "application/json"),
        ("webhook-id", "msg_1"),
        ("x-a", "b"),
        ("content-length", "8"),
    }


async def test_settings_of_the_environment_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as elsewhere, listening() as party:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{elsewhere.port}")
        result = await sent(party)
    assert isinstance(result, Answer)
    assert (party.connections, elsewhere.connections) == (1, 0)


async def test_cookies_are_neither_sent_back_nor_kept() -> None:
    speak = OK.replace(b"Connection", b"Set-Cookie: session=canary; Path=/\r\nConnection")
    async with (
        listening(speak=speak) as party,
        Sender(SystemClock(), LOOPBACK, limits=PATIENT, resolver=Names(["127.0.0.1"])) as sender,
    ):
        results = [await sender.send(f"http://cookies.example:{party.port}/", [], b"{}") for _ in range(2)]
    assert len(party.requests) == 2
    assert b"canary" not in party.requests[1]
    assert "canary" not in repr(results)


async def test_a_connection_is_used_again() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await request(reader)

    async with listening(speak=speak) as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        results = [await sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}") for _ in range(3)]
    assert [result.address for result in results] == [f"127.0.0.1:{party.port}"] * 3
    assert party.connections == 1


async def test_a_connection_that_its_receiver_closed_is_not_used_again() -> None:
    kept = OK.replace(b"Connection: close\r\n", b"")
    async with listening(speak=kept) as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        results = []
        for _ in range(3):
            results.append(await sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}"))
            await party.closed(party.connections)
    assert [isinstance(each, Answer) and each.status for each in results] == [200] * 3
    assert (party.connections, len(party.requests)) == (3, 3)


async def test_a_request_is_said_once_though_the_connection_that_was_kept_ends_under_it() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        party.requests.append(await request(reader))

    async with listening(speak=speak) as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        results = [await sender.send(f"http://127.0.0.1:{party.port}/{n}", [], b"{}") for n in range(2)]
    assert isinstance(results[0], Answer)
    assert isinstance(results[1], Failure)
    assert (results[1].kind, results[1].address) == ("protocol", f"127.0.0.1:{party.port}")
    assert (party.connections, len(party.requests)) == (1, 2)


async def test_a_connection_that_nothing_is_sent_on_is_closed() -> None:
    kept = OK.replace(b"Connection: close\r\n", b"")

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(kept)
        await reader.read()

    limits = Limits(kept_s=0)
    async with listening(speak=speak) as party, Sender(SystemClock(), LOOPBACK, limits=limits) as sender:
        for n in range(1, 3):
            result = await sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}")
            assert isinstance(result, Answer)
            await party.closed(n)
    assert party.connections == 2


async def test_a_receiver_that_hangs_is_a_timeout() -> None:
    assert (await failed(saying(), HASTY)).kind == "timeout"


async def test_a_head_that_never_ends_is_a_timeout() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000):
            writer.write(b"x-%d: 1\r\n" % number)
            await asyncio.sleep(0.02)

    assert (await failed(speak, HASTY)).kind == "timeout"


async def test_a_slow_body_is_cut_and_the_status_decides() -> None:
    result = await answered(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun"), HASTY)
    assert (result.status, result.cut, result.body.text, result.body.truncated) == (200, "timeout", "begun", True)


async def test_endless_response_is_cut() -> None:
    result = await answered(saying(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000, forever=True))
    assert (result.status, result.cut) == (200, None)
    assert (result.body.truncated, result.body.size, len(result.body.text)) == (True, 65_536, KEPT_BYTES)


async def test_huge_response_is_truncated_and_recorded() -> None:
    size = 50_000_000
    head = b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n" % size
    result = await answered(saying(head, b"y" * 100_000, forever=True))
    assert (result.status, result.body.truncated, result.body.size) == (500, True, 65_536)
    assert result.body.text == "y" * KEPT_BYTES


async def test_a_body_of_just_the_limit_is_whole() -> None:
    body = b"z" * KEPT_BYTES
    result = await answered(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert (result.body.truncated, result.body.size, result.body.text) == (False, KEPT_BYTES, body.decode())


async def test_a_compressed_body_is_not_unpacked() -> None:
    body = gzip.compress(b"0" * 1_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    result = await answered(head + body)
    assert (result.body.encoding, result.body.size) == ("base64", len(body))
    assert base64.b64decode(result.body.text) == body


@pytest.mark.parametrize(
    "head",
    [
        b"x-long: %b\r\n" % (b"a" * 20_000),
        b"".join(b"x-%d: %b\r\n" % (number, b"a" * 500) for number in range(100)),
        b"".join(b"x-%d: 1\r\n" % number for number in range(5_000)),
    ],
)
async def test_huge_headers_are_a_failure(head: bytes) -> None:
    result = await failed(b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: 0\r\n\r\n")
    assert result.kind == "protocol"
    assert result.address is not None


async def test_headers_within_the_limit_are_kept() -> None:
    result = await answered(b"HTTP/1.1 200 OK\r\nX-Long: %b\r\nContent-Length: 0\r\n\r\n" % (b"a" * 15_000))
    assert result.header("x-long") == "a" * 15_000


@pytest.mark.parametrize(
    "garbage", [b"garbage\r\n\r\n", b"\x16\x03\x01\x00", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b""]
)
async def test_garbage_is_a_failure(garbage: bytes) -> None:
    assert (await failed(garbage)).kind == "protocol"


async def test_a_reset_before_the_answer_is_a_failure() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    assert (await failed(speak)).kind == "protocol"


async def test_a_reset_in_the_body_is_cut_and_the_status_decides() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    result = await answered(speak)
    assert (result.status, result.cut, result.header("retry-after")) == (503, "protocol", "7")
    assert result.body.truncated


async def test_a_refused_connection_is_a_failure() -> None:
    async with listening() as party:
        pass
    result = await sent(party)
    assert isinstance(result, Failure)
    assert (result.kind, result.address) == ("connect", f"127.0.0.1:{party.port}")
    assert "refused" in result.error


async def test_dns_failure_is_a_failure_of_its_own() -> None:
    async with Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        result = await sender.send("https://nowhere.invalid/?token=canary", [], b"{}")
    assert isinstance(result, Failure)
    assert result.kind == "dns"
    assert "canary" not in repr(result)


@pytest.mark.parametrize("url", ["http://", "ftp://example.com/", "https://user:canary@example.com/", "https://[::1"])
async def test_an_invalid_url_is_never_sent_to(url: str) -> None:
    async with Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        result = await sender.send(url, [], b"{}")
    assert isinstance(result, Failure)
    assert result.kind == "url-invalid"
    assert "canary" not in repr(result)


async def test_plain_http_is_not_sent_to_unless_it_is_allowed() -> None:
    async with listening() as party, Sender(SystemClock(), limits=PATIENT) as sender:
        result = await sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}")
    assert isinstance(result, Failure)
    assert (result.kind, party.connections) == ("url-invalid", 0)


@pytest.mark.parametrize("proxied", [False, True])
async def test_an_answer_from_a_private_address_says_so(*, proxied: bool) -> None:
    async with listening() as party, listening(speak=tunnel_to(party)) as way:
        proxy = f"http://127.0.0.1:{way.port}" if proxied else None
        found = [await sent(party, proxy=proxy) for _ in range(2)]
    assert [isinstance(each, Answer) and each.is_private for each in found] == [True, True]


async def test_an_answer_through_a_proxy_is_not_private_because_the_proxy_is() -> None:
    async with (
        listening() as party,
        listening(speak=tunnel_to(party)) as proxy,
        Sender(SystemClock(), LOOPBACK, limits=PATIENT, proxy=f"http://127.0.0.1:{proxy.port}") as sender,
    ):
        result = await sender.send("http://receiver.example/", [], b"{}")
    assert isinstance(result, Answer), result
    assert not result.is_private


async def over_tls(server: ssl.SSLContext, client: str | None, host: str = "127.0.0.1") -> Answer | Failure:
    names = Names(["127.0.0.1"])
    async with (
        listening(tls=server) as party,
        Sender(SystemClock(), LOOPBACK, limits=PATIENT, authorities=client, resolver=names) as sender,
    ):
        return await sender.send(f"https://{host}:{party.port}/", [], b"{}")


async def test_a_trusted_certificate_is_taken(tmp_path: Path) -> None:
    result = await over_tls(*certified(tmp_path, "receiver.example"), host="receiver.example")
    assert isinstance(result, Answer), result
    assert result.status == 200


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_what_the_system_trusts_is_taken(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL finds a certificate in a folder by the hash of its subject, which it says itself."""
    server, authority = certified(tmp_path, "receiver.example")
    file = tmp_path / "f20e0b1e.0"
    file.write_text(authority)
    monkeypatch.setenv(variable, str(file if variable == "SSL_CERT_FILE" else tmp_path))
    result = await over_tls(server, None, host="receiver.example")
    assert isinstance(result, Answer), result


async def test_a_certificate_of_another_host_is_not_trusted(tmp_path: Path) -> None:
    result = await over_tls(*certified(tmp_path, "other.example"), host="receiver.example")
    assert isinstance(result, Failure)
    assert result.kind == "tls"
    assert "receiver.example" in result.error


async def test_a_certificate_that_has_ended_is_not_trusted(tmp_path: Path) -> None:
    result = await over_tls(*certified(tmp_path, "receiver.example", days=-1), host="receiver.example")
    assert isinstance(result, Failure)
    assert result.kind == "tls"


async def test_a_certificate_that_nobody_known_signed_is_not_trusted(tmp_path: Path) -> None:
    server, _ = certified(tmp_path, "receiver.example")
    result = await over_tls(server, None, host="receiver.example")
    assert isinstance(result, Failure)
    assert (result.kind, result.address is not None) == ("tls", True)


async def test_a_server_that_speaks_no_tls_is_a_failure() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")

    result = await over_what_is_no_tls(speak, PATIENT)
    assert result.kind == "tls"


async def test_a_tls_handshake_that_hangs_is_a_timeout() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    result = await over_what_is_no_tls(speak, Limits(total_s=20, connect_s=0.4))
    assert (result.kind, result.error) == ("timeout", "no connection in time")


async def over_what_is_no_tls(speak: Speaking, limits: Limits) -> Failure:
    async with listening(speak=speak) as party, Sender(SystemClock(), LOOPBACK, limits=limits) as sender:
        party.at_once = True
        result = await sender.send(f"https://127.0.0.1:{party.port}/", [], b"{}")
    assert isinstance(result, Failure)
    return result


async def test_cancelling_an_attempt_ends_it() -> None:
    async with listening(speak=saying()) as party:
        task = asyncio.create_task(sent(party))
        while not party.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_is_cancelled_closes_its_connection_and_leaves_the_sender_usable() -> None:
    async with listening(speak=saying()) as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        for n in range(1, 3):
            task = asyncio.create_task(sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}"))
            while len(party.requests) < n:
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            await party.closed(n)
    assert party.connections == 2


async def test_what_is_under_way_when_the_sender_closes_is_a_failure() -> None:
    async with listening(speak=saying()) as party:
        async with Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
            task = asyncio.create_task(sender.send(f"http://127.0.0.1:{party.port}/", [], b"{}"))
            while not party.requests:
                await asyncio.sleep(0.01)
        result = await task
    assert isinstance(result, Failure)
    assert (result.kind, result.error) == ("protocol", "the connection ended before the answer")


async def test_where_libcurl_cannot_go_on_what_is_under_way_fails_and_the_next_is_sent() -> None:
    async with listening() as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        url = f"http://127.0.0.1:{party.port}/"
        assert isinstance(await sender.send(url, [], b"{}"), Answer)
        assert sender._transfers is not None
        sender._transfers._selector.register = None  # type: ignore[method-assign,assignment]
        failed = await sender.send(url, [], b"{}")
        assert isinstance(failed, Failure)
        assert failed.kind == "protocol"
        assert isinstance(await sender.send(url, [], b"{}"), Answer)


async def test_many_at_once_keep_their_answers_apart() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            path = party.requests[-1].split()[1] if not writer.is_closing() else b""
            writer.write(b"HTTP/1.1 200 OK\r\nX-Path: %b\r\nContent-Length: %d\r\n\r\n%b" % (path, len(path), path))
            party.requests.append(await request(reader))

    async with listening(speak=speak) as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        for _ in range(3):
            urls = [f"http://127.0.0.1:{party.port}/{n}" for n in range(50)]
            results = await asyncio.gather(*(sender.send(url, [], url.encode()) for url in urls))
            for n, each in enumerate(results):
                assert isinstance(each, Answer)
                assert (each.header("x-path"), each.body.text) == (f"/{n}", f"/{n}")


async def test_headers_that_are_no_text_are_written_as_text() -> None:
    result = await answered(b"HTTP/1.1 200 OK\r\nX-Odd: a\xff\x80\r\nX-Ok: \xc3\xa9\r\nContent-Length: 0\r\n\r\n")
    assert (result.header("x-odd"), result.header("x-ok")) == ("a\\xff\\x80", "é")


def test_a_character_that_the_cut_goes_through_is_left_out() -> None:
    found = excerpt_of(b"a" + "é".encode() * 10_000, is_all=True)
    assert (found.encoding, len(found.text.encode()), found.truncated) == ("text", KEPT_BYTES - 1, True)
    assert excerpt_of("é".encode()[:1], is_all=True).encoding == "base64"


@given(st.binary(max_size=70_000) | st.text(max_size=30_000).map(str.encode), st.booleans())
def test_any_body_is_kept_as_text_that_a_store_can_hold(body: bytes, is_all: bool) -> None:
    found = excerpt_of(body, is_all=is_all)
    assert found.size == len(body)
    assert len(found.text.encode()) <= KEPT_BYTES
    assert "\x00" not in found.text
    kept = found.text.encode() if found.encoding == "text" else base64.b64decode(found.text)
    assert body.startswith(kept)
    assert found.truncated == (not is_all or kept != body)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_header_is_kept_as_text_that_a_store_can_hold(lines: list[bytes]) -> None:
    for name, value in headers_of([b"HTTP/1.1 200 OK", *lines]):
        assert not any(ord(each) < 32 or ord(each) == 127 for each in name + value)
        assert (name + value).encode().decode() == name + value


@pytest.mark.parametrize("body", [b"zz\r\n", b"5\r\nhelloXX", b"-5\r\nhello\r\n"])
async def test_broken_chunks_are_cut_or_no_answer(body: bytes) -> None:
    """Which of the two depends on whether they came with the head; at least once is kept either way."""
    async with listening(
        speak=saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", end=b"2\r\nok\r\n" + body)
    ) as party:
        result = await sent(party)
    if isinstance(result, Answer):
        assert (result.status, result.cut, result.body.truncated) == (200, "protocol", True)
    else:
        assert result.kind == "protocol"


async def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    result = await answered(interim + interim + b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok")
    assert (result.status, result.headers) == (200, (("x-a", "b"), ("content-length", "2")))


async def test_interim_answers_are_part_of_the_head_and_so_of_its_limit() -> None:
    result = await failed(saying(b"HTTP/1.1 102 Processing\r\n\r\n" * 1_000))
    assert (result.kind, result.error) == ("protocol", "the head of the answer has more than 16,384 bytes")


async def test_trailers_are_no_headers() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    result = await answered(head + b"2\r\nok\r\n0\r\nX-Trailer: late\r\n\r\n")
    assert (result.body.text, result.header("x-trailer"), result.cut) == ("ok", None, None)


async def test_interim_answers_without_end_are_a_timeout() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(500):
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await asyncio.sleep(0.02)

    assert (await failed(speak, HASTY)).kind == "timeout"


@pytest.mark.parametrize("value", ["a\r\nhost: elsewhere", "a\nhost: elsewhere", "a\r", "a\0b"])
async def test_a_header_with_a_line_break_is_never_sent(value: str) -> None:
    async with listening() as party:
        result = await sent(party, [("x-own", value)])
    assert isinstance(result, Failure)
    assert party.requests == []


@pytest.mark.parametrize("empty", ["", " ", "\t", " \t "])
async def test_a_header_without_a_value_and_one_that_is_not_ascii_are_sent(empty: str) -> None:
    async with listening() as party:
        result = await sent(party, [("x-empty", empty), ("x-more", "é"), ("x-trailing", "a "), ("x-last", empty)])
    assert isinstance(result, Answer)
    lines = party.requests[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"x-more: \xc3\xa9" in lines
    assert {b"x-empty:", b"x-last:", b"x-trailing: a"} <= {each.rstrip() for each in lines}


async def test_a_large_body_is_sent_whole() -> None:
    body = bytes(range(256)) * 20_000
    async with listening() as party, Sender(SystemClock(), LOOPBACK, limits=PATIENT) as sender:
        result = await sender.send(f"http://127.0.0.1:{party.port}/", [], body)
    assert isinstance(result, Answer)
    assert party.requests[0].endswith(body)
