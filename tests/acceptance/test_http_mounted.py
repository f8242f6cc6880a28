"""The examples of mounting do what they say, each under a server of its own, asked over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITES = sorted(path.stem for path in (ROOT / "examples" / "mounted").glob("*_site.py"))


class Site:
    """A running site."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, target: str, body: str | None = None, **headers: str) -> tuple[int, Any, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, target, body, {name.replace("_", "-"): v for name, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def first_lines(self, target: str) -> list[str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            return [answer.readline().decode().strip() for _ in range(2)]
        finally:
            connection.close()


@contextmanager
def running(name: str, folder: Path) -> Iterator[Site]:
    """Run the example with uvicorn, on a socket that is bound already, until the block is left; it ends in order."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TIDINGS_")}
    environment = inherited | {
        "PYTHONPATH": f"{ROOT / 'examples'}{os.pathsep}{ROOT / 'src'}",
        "TIDINGS_DATABASE_URL": f"sqlite:///{folder / 'site.db'}",
    }
    with socket.create_server(("127.0.0.1", 0)) as listening:
        arguments = [sys.executable, "-m", "uvicorn", f"mounted.{name}:site", "--fd", str(listening.fileno())]
        process = subprocess.Popen(
            arguments, env=environment, cwd=folder, pass_fds=[listening.fileno()], stderr=subprocess.PIPE, text=True
        )
        try:
            yield Site(listening.getsockname()[1])
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                _, said = process.communicate(timeout=30)
            finally:
                process.kill()
                process.wait()
    assert process.returncode in (0, -signal.SIGTERM), said  # uvicorn raises the signal anew when it is done
    assert "Traceback" not in said, said
    assert "Application shutdown complete" in said, said


def test_every_framework_that_is_promised_has_its_example() -> None:
    assert SITES == ["django_site", "fastapi_site", "litestar_site", "starlette_site"]


@pytest.mark.parametrize("name", SITES)
def test_a_site_serves_its_own_pages_and_the_events_beside_them(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path) as site:
        status, _, own = site.ask("GET", "/")
        assert (status, own) == (200, {"position": 1})
        target = "/tidings/events/https%3A%2F%2Fother.example%2Fa/v%2F1"
        kept = {"ce_type": "page-visited", "content_type": "application/json"}
        status, headers, result = site.ask("PUT", target, '{"page":"/"}', **kept)
        assert (status, headers["location"], result["source"]) == (201, target, "https://other.example/a")
        status, _, event = site.ask("GET", target)
        assert (status, event["id"], event["data"]) == (200, "v/1", {"page": "/"})
        token = headers["tidings-position"]
        row = "/tidings/views/visits/visits/%2F"
        status, _, found = site.ask("GET", row, tidings_min_position=token, prefer="wait=20")
        assert (status, found) == (200, {"row": {"page": "/", "count": 2}})
        assert site.first_lines("/tidings/events/stream") == ["retry: 3000", f"id: {token}"]
        status, _, document = site.ask("GET", "/tidings/openapi.json")
        assert (status, document["servers"]) == (200, [{"url": "/tidings"}])
        status, _, problem = site.ask("GET", "/tidings/nix")
        assert (status, problem["instance"]) == (404, "/tidings/nix")
        assert site.ask("GET", "/tidings/readyz")[0] == 200
        status, headers, problem = site.ask("GET", "/tidings")
        assert status == 307 or problem["detail"].endswith("/tidings/console shows it in a browser")
        assert site.first_lines("/tidings/console/")[0] == "<!doctype html>"
