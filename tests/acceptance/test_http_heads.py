"""Requests whose head is wrong, as they come over a socket: who sent them is told what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import Caller, in_file, program, raw, serving

HOST = b"host: localhost\r\n"
CHUNKED = b"POST /events HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n"


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(program(), in_file(tmp_path)) as started:
        yield started


def problem(answer: bytes) -> Any:
    """The one answer, which is a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    return json.loads(body)


@pytest.mark.parametrize("path", [b"/views", b"/healthz", b"http://localhost/views", b"/console/", b"/nowhere"])
@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (b"", "no Host"),
        (HOST + HOST, "2 Host"),
        (HOST + b"Host: evil.example\r\n", "2 Host"),
        (b"host: local host\r\n", "no host"),
        (b"host: http://localhost\r\n", "no host"),
        (b"host: \r\n", "no host"),
        (b"host: localhost:80a\r\n", "no host"),
        (b"host: a%2\r\n", "no host"),
    ],
)
async def test_a_request_without_one_host_is_malformed(caller: Caller, path: bytes, hosts: bytes, said: str) -> None:
    answer = await raw(caller, b"GET " + path + b" HTTP/1.1\r\nconnection: close\r\n" + hosts + b"\r\n")
    found = problem(answer)
    assert (found["status"], found["type"]) == (400, "urn:tidings:problem:malformed-request")
    assert said in found["detail"]
    assert "`Host: localhost:8080`" in found["detail"]


@pytest.mark.parametrize("host", [b"localhost", b"localhost:1", b"127.0.0.1:80", b"[::1]:8080"])
async def test_one_host_is_asked(caller: Caller, host: bytes) -> None:
    text = b"GET /views HTTP/1.1\r\nconnection: close\r\nhost: " + host + b"\r\n\r\n"
    assert (await raw(caller, text)).startswith(b"HTTP/1.1 200 ")


async def test_http_1_0_may_go_without_a_host_where_anybody_may_ask(caller: Caller) -> None:
    assert (await raw(caller, b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"GET /views HTTP/1.1\r\n" + HOST + b"x: " + b"a" * 70_000 + b"\r\n\r\n", "too large: .* 65,536 bytes"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", "too large: .* 65,536 bytes"),
        (b"hello\r\n\r\n", "request line is malformed"),
        (b"GET views HTTP/1.1\r\n" + HOST + b"\r\n", "target in the request line is malformed"),
        (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", "target in the request line is malformed"),
        (b"GET /views HTTP/7.1\r\n" + HOST + b"\r\n", "ends in HTTP/1.1"),
        (b"GET /views WEB/1.1\r\n" + HOST + b"\r\n", "ends in HTTP/1.1"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "this is HTTP/2"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "this is TLS"),
        (b"GET /views HTTP/1.1\r\nhost localhost\r\n\r\n", "header's name is malformed"),
        (b"GET /views HTTP/1.1\r\n" + HOST + b"x : a\r\n\r\n", "header's name is malformed"),
        (b"GET /views HTTP/1.1\r\n" + HOST + b"x: \x00\r\n\r\n", "header's value has a control character"),
        (b"GET /views HTTP/1.1\r\n" + HOST + b" x: a\r\n\r\n", "begins with a space"),
        (b"POST /events HTTP/1.1\r\n" + HOST + b"content-length: x\r\n\r\n", "length of the body is unclear"),
        (b"POST /events HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", "length of the body"),
        (
            b"POST /events HTTP/1.1\r\n" + HOST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            "length of the body is unclear",
        ),
        (b"POST /events HTTP/1.1\r\n" + HOST + b"transfer-encoding: a, chunked, b\r\n\r\n", "coding of the body"),
        (CHUNKED + b"zz\r\n", "chunk of the body is malformed"),
        (CHUNKED + b"3\r\nabcd\r\n", "chunk of the body is malformed"),
        (CHUNKED + b"1\r\na\r\n1;" + b"x" * 900_000, "between the chunks"),
    ],
)
async def test_what_cannot_be_read_is_told_by_what_is_wrong_with_it(caller: Caller, text: bytes, said: str) -> None:
    found = problem(await raw(caller, text))
    assert (found["status"], found["type"]) == (400, "urn:tidings:problem:malformed-request")
    assert re.search(said, found["detail"]), found["detail"]
    assert ("65,536" in found["detail"]) == ("65,536" in said or said == "between the chunks")
