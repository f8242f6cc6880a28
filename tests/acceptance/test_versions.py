"""Three services in three processes live through three versions of an event, and are told how it stands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.place import BETWEEN_LOOKS, PATIENCE
from tests.warm.processes import run

ROOT = Path(__file__).resolve().parents[2]
BEHIND = re.compile(r"     as of \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, position \d+, census exact$")
RELEASE = """
from tests.unit.app import bookmarking as at
app = at.{service}(at.{version}())
"""


@dataclass
class Town:
    """Processes over one database: each is one release of one service."""

    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def _environ(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        url = f"sqlite:///{self.folder / 'town.db'}"
        path = os.pathsep.join(map(str, (self.folder, ROOT, ROOT / "src")))
        return {**kept, "TIDINGS_DATABASE_URL": url, "PYTHONPATH": path, **more}

    def deploy(self, name: str, service: str, version: str, revision: str, *, gates: str = "auto") -> None:
        """Start a process, and come back when it is ready."""
        module = f"{service}_{version}"
        (self.folder / f"{module}.py").write_text(RELEASE.format(service=service, version=version), "utf-8")
        environ = self._environ(TIDINGS_REVISION=revision, TIDINGS_GATES=gates, TIDINGS_PORT="0")
        command = [sys.executable, "-m", "tidings", "run", f"{module}:app"]
        log = self.folder / f"{name}.log"
        with log.open("wb") as written:
            self.running[name] = subprocess.Popen(
                command, cwd=self.folder, env=environ, stdout=written, stderr=subprocess.STDOUT
            )
        while b"http://" not in log.read_bytes():
            assert self.running[name].poll() is None, log.read_text("utf-8")
            time.sleep(BETWEEN_LOOKS)

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    def put(self, name: str, id: str, tweet: str) -> None:
        """Send a bookmark in version 1 to a process, from outside."""
        url = re.findall(r"http://[\d.:]+", (self.folder / f"{name}.log").read_text("utf-8"))[0]
        body = json.dumps({"tweet_id": tweet, "user_id": "jo"}).encode()
        headers = {"ce-type": "tweet-bookmarked", "content-type": "application/json"}
        sent = urllib.request.Request(f"{url}/events/web/{id}", body, headers, method="PUT")
        with urllib.request.urlopen(sent, timeout=30) as answer:
            assert answer.status == 201

    def run(self, *words: str) -> tuple[int, list[str]]:
        """Run `tidings …`, and return its exit code and lines, without when the answer was true."""
        done = run("tidings", *words, folder=self.folder, environment=self._environ())
        assert not done.err, done.err
        return done.code, [BEHIND.sub("", line) for line in done.out.splitlines()]

    def ask(self, *words: str) -> tuple[int, list[str]]:
        """Run `tidings versions …`."""
        return self.run("versions", *words)

    def until(self, wanted: Sequence[str], *words: str) -> int:
        """Ask until it says so, as it does after some heartbeats; return the exit code."""
        end = time.monotonic() + PATIENCE
        while True:
            code, lines = self.ask(*words)
            shown = [_masked(line) for line in lines]
            if shown == list(wanted):
                return code
            if time.monotonic() > end:
                assert shown == list(wanted)
            time.sleep(BETWEEN_LOOKS)


def _masked(line: str) -> str:
    """Return a line without what is another one in each run."""
    line = re.sub(r"lists-[0-9a-f]{3}", "lists-5c9", line)
    line = re.sub(r"oldest 20\S+Z", "oldest 2026-11-23T17:40:02Z", line)
    return re.sub(r"in (no|\d+) segments?,", "in 3 segments,", line)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    for process in made.running.values():
        process.kill()
        process.wait(30)


def test_a_version_needs_no_deploy_a_version_waits_for_one_and_a_release_may_not_go_back(town: Town) -> None:
    town.deploy("users", "users", "first", "r117")
    town.deploy("lists", "lists", "first", "r41")
    pin = 'pin={"tweet-bookmarked": 1}'
    partner = ("--poll", "--id", "partner", "--type", "tweet-bookmarked", "--set", pin)
    assert town.run("endpoints", "add", *partner)[0] == 0
    for id, tweet in (("a", "7"), ("b", "bad"), ("c", "bad"), ("d", "bad")):
        town.put("lists", id, tweet)
    town.deploy("bookmarks", "bookmarks", "second", "r76", gates="manual")
    code = town.until(
        [
            "ok   tweet-bookmarked 1 -> 2",
            "  1 users      r117 x1   accepts 1 2 (2 tolerated)   nothing to deploy",
            "  2 lists      r41  x1   accepts 1 2 (2 tolerated)   nothing to deploy",
            "  3 bookmarks  r76  x1   emits 2, writes 1           gate 2 may open",
            "    partner    pin 1     served 2 -> 1               loses folder",
        ],
        *("plan", "tweet-bookmarked", "--to", "2"),
    )
    assert code == 0
    assert town.ask("open", "tweet-bookmarked", "2") == (0, ["ok   tweet-bookmarked 2 may open"])
    town.deploy("users again", "users", "third", "r118")
    town.deploy("lists again", "lists", "third", "r42")
    town.deploy("bookmarks again", "bookmarks", "third", "r77")
    for name in ("users", "bookmarks"):
        town.stop(name)
    code = town.until(
        [
            "no   tweet-bookmarked 2 -> 3",
            "  1 users      r118 x1   accepts 1 2 3               done",
            "  2 lists      r41  x1   accepts 1 2                 waits",
            "               r42  x1   accepts 1 2 3",
            "  3 bookmarks  r77  x1   emits 3, writes 2           waits for lists",
            "    partner    pin 1     served 3 -> 2 -> 1          loses owner.kind, folder",
            "  why   consumer-does-not-accept  lists lists-5c9 (r41) accepts 1 2, needs 3",
            "  next  finish the deploy of lists r42; the gate then opens by itself",
        ],
        *("plan", "tweet-bookmarked", "--to", "3"),
    )
    assert code == 1
    town.stop("lists")
    code = town.until(
        [
            "no   lists may not go back to r41",
            "  why   still-produced  tweet-bookmarked 3 is open, r41 accepts 1 2",
            "  next  tidings versions close tweet-bookmarked 3 (bookmarks falls back to 2); when closed, let lists "
            "settle its entries of 3; ask again",
        ],
        *("may", "rollback", "lists", "r41"),
    )
    assert code == 1
    assert town.ask("close", "tweet-bookmarked", "3")[0] == 0
    assert town.until(["ok   lists may go back to r41"], "may", "rollback", "lists", "r41") == 0
    assert town.ask("deprecate", "tweet-bookmarked", "1", "--sunset", "2099-03-01")[0] == 0
    code = town.until(
        [
            "no   tweet-bookmarked 1 cannot be retired",
            "  why   endpoint-pinned     partner, 4 deliveries pending",
            "        dead-letters        lists: 3 of subject bad, oldest 2026-11-23T17:40:02Z",
            "        sunset-not-reached  2099-03-01T00:00:00Z",
            "  note  stored: 4 entries in 3 segments, readable through 1 -> 2 -> 3; keep both steps",
            "  next  redrive the dead letters; move partner's pin; ask again after 2099-03-01",
        ],
        *("retire", "tweet-bookmarked", "1"),
    )
    assert code == 1
