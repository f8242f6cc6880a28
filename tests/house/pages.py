"""Documents as a reader uses them: files are written, programs run, a server started, requests sent."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any
from urllib.parse import urlsplit

from tests.warm.processes import Ended, run
from tidings.demo.server import free_port

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
WRITTEN_AS = "localhost:8080"
ELSEWHERE = {"python3", "pip", "make"}  # what a reader runs and a test does not
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# (\w+\.py)\n")
_SECONDS = 60


@dataclass(frozen=True)
class Block:
    """One fenced block. `line`: where it begins in its page."""

    kind: str
    text: str
    page: str
    line: int

    def commands(self) -> list[tuple[str, str]]:
        """Return each command after a `$` (in `sh`: each line) with the lines shown below it."""
        text = self.text.replace("\\\n", " ")
        if self.kind == "sh":
            return [(line, "") for line in text.splitlines() if line and not line.startswith("#")]
        found: list[tuple[str, str]] = []
        for line in text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            elif found:
                found[-1] = (found[-1][0], found[-1][1] + line + "\n")
        return found


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page; those without a kind, which are drawings, have an empty one."""
    text = page.read_text("utf-8")
    name = str(page.relative_to(ROOT))
    return [Block(found[1], found[2], name, text.count("\n", 0, found.start()) + 1) for found in _FENCE.finditer(text)]


def brings_a_program(page: Path) -> bool:
    """Say whether a page can be followed from its first line: it writes the program down that it talks about."""
    return any(block.kind == "python" and _FILE.match(block.text) for block in blocks(page))


def words_of(command: str) -> list[str]:
    """Return the words of a command, without variables set in front of it."""
    words = shlex.split(command)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


class Reader:
    """Does what a page says, in a folder of its own. `close` ends the server and forgets the modules."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder = folder
        self._module = ModuleType("page")
        self._before: dict[str, ModuleType | None] = {}
        self._server: subprocess.Popen[bytes] | None = None
        self._address = ""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        self._environment = {**inherited, "PYTHONPATH": str(ROOT / "src"), **environment}
        self._forget("page")
        sys.modules["page"] = self._module

    def follow(self, block: Block) -> None:
        if block.kind == "python":
            self._python(block)
        elif block.kind == "console":
            for command, shown in block.commands():
                self._command(block, command, shown)

    def close(self) -> None:
        self._stop()
        for name, module in self._before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module

    def _forget(self, name: str) -> None:
        """Have this name be imported from the page's folder, until `close`: an example's module may have it too."""
        self._before.setdefault(name, sys.modules.pop(name, None))

    def _python(self, block: Block) -> None:
        file = _FILE.match(block.text)
        if file is not None:
            (self._folder / file[1]).write_text(block.text, "utf-8")
            self._forget(file[1].removesuffix(".py"))
            return
        where = f"{block.page}:{block.line}"
        code = compile(block.text, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        made = eval(code, self._module.__dict__)
        if inspect.iscoroutine(made):
            asyncio.run(asyncio.wait_for(made, timeout=_SECONDS))

    def _command(self, block: Block, command: str, shown: str) -> None:
        words = words_of(command)
        if words[0] in ELSEWHERE:
            return
        if words[0] == "uvicorn" or words[:2] == ["tidings", "run"]:
            self._serve(words)
            return
        end = time.monotonic() + _SECONDS
        while True:
            said, may_be_repeated = self._said(words, shown)
            missing = [line for line in shown.splitlines() if not _stands_in(line, said)]
            if not missing or not may_be_repeated or time.monotonic() > end:
                break  # else it looks at what is a moment behind the log
        assert not missing, f"{block.page}: `{command}` shows\n{said}\nand not\n{missing[0]}"

    def _said(self, words: list[str], shown: str) -> tuple[str, bool]:
        """Return what a command prints, and whether it only looks."""
        if words[0] == "curl":
            request = curl(words[1:])
            return self._request(request, must_succeed=not shown), request.method == "GET"
        if words[-2:-1] == [">"]:
            (self._folder / words[-1]).write_text(self._said(words[:-2], "")[0], "utf-8")
            return "", False
        if words[0] == "echo":
            return " ".join(words[1:]) + "\n", False
        done = self._run(words)
        code = _code(shown)
        assert done.code == code, f"{words}: {done.code}\n{done.out}\n{done.err}"
        return done.out + done.err if code else done.out, words[2:3] in (["list"], ["tail"], ["show"])

    def _run(self, words: list[str]) -> Ended:
        if words[0] == "tidings":
            return run(*words, folder=self._folder, environment=self._environment, timeout=_SECONDS)
        assert words[0] == "python", words
        done = subprocess.run(
            [sys.executable, *words[1:]],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def _serve(self, words: list[str]) -> None:
        """Start a server as the page says, but on a port that is free; return when it takes connections."""
        self._stop()
        port = free_port()
        self._address = f"127.0.0.1:{port}"
        arguments = [sys.executable, "-m", *words, "--port", str(port)]
        quiet = subprocess.DEVNULL
        self._server = subprocess.Popen(arguments, cwd=self._folder, env=self._environment, stdout=quiet, stderr=quiet)
        end = time.monotonic() + _SECONDS
        while not _is_taken(port):
            assert self._server.poll() is None, f"{words} ended before it was ready"
            assert time.monotonic() < end, f"{words} is not ready"
            time.sleep(0.02)

    def _stop(self) -> None:
        if self._server is None:
            return
        server, self._server = self._server, None
        server.terminate()
        try:
            server.wait(timeout=_SECONDS)
        finally:
            server.kill()

    def _request(self, request: Request, *, must_succeed: bool) -> str:
        assert request.host == WRITTEN_AS
        connection = HTTPConnection(self._address, timeout=_SECONDS)
        try:
            headers = {"host": self._address, **self._headers(request)}
            body = request.body
            if body is not None and body.startswith("@"):
                body = (self._folder / body[1:]).read_text("utf-8")
            connection.request(request.method, request.target, body, headers)
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        assert answer.status < 400 or not must_succeed, f"{request}: {answer.status} {body}"
        return f"{_head(answer)}\n{body}" if request.shows_head else body

    def _headers(self, request: Request) -> dict[str, str]:
        """Return its headers, with those of files that it names as `@FILE`."""
        files = [name[1:] for name in request.headers if name.startswith("@")]
        lines = [line for file in files for line in (self._folder / file).read_text("utf-8").splitlines()]
        pairs = (line.partition(": ") for line in lines)
        own = {name: value for name, value in request.headers.items() if not name.startswith("@")}
        return own | {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class Request:
    """One request. A body, or the name of a header, that begins with `@` is a file that holds it."""

    method: str
    host: str
    target: str
    headers: dict[str, str]
    body: str | None
    shows_head: bool


def curl(arguments: list[str]) -> Request:
    """Return the request that these arguments of curl mean; only the options that the documents use are known."""
    method, body, headers, shows_head, urls = None, None, {}, False, []
    left = iter(arguments)
    for word in left:
        if word == "-X":
            method = next(left)
        elif word == "-H":
            name, _, value = next(left).partition(":")
            headers[name] = value.strip()
        elif word in ("-d", "--data-binary"):
            body = next(left)
        elif word == "-i":
            shows_head = True
        else:
            assert not word.startswith("-"), f"{word} is not known here"
            urls.append(word)
    [url] = urls
    parts = urlsplit(url if "://" in url else f"http://{url}")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    if body is not None:
        headers = {"content-type": "application/x-www-form-urlencoded", **{k.lower(): v for k, v in headers.items()}}
    return Request(method or ("GET" if body is None else "POST"), parts.netloc, target, headers, body, shows_head)


def _code(shown: str) -> int:
    """Return the exit code of a command that shows this: a clear no, a refusal, or that all is well."""
    return 1 if shown.startswith(("no ", "error: ")) else 2 if shown.startswith("tidings: ") else 0


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stands_in(line: str, said: str) -> bool:
    return re.search(".*".join(map(re.escape, line.split("…"))), said, re.DOTALL) is not None


def _head(answer: HTTPResponse) -> str:
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in answer.getheaders())]
    return "\n".join(lines)


def table(heading: str, page: Path) -> list[tuple[str, ...]]:
    """Return the rows of the table below a heading, without its head."""
    section = page.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]) for row in rows[2:]]


def paragraph(thing: Any) -> str:
    """Return the docstring in one line."""
    return " ".join((inspect.getdoc(thing) or "").split())
