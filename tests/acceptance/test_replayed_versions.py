"""Three releases over one log, whose first left a dead letter before there was a step from its version."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

from tests.acceptance.place import Place

HEAD = """
from pathlib import Path
from tidings import App, Context, NotRetryable, Service, event, upcaster

"""
FIRST = """
@event("marked", version=1, subject="tweet")
class Marked:
    tweet: str
    user: str
"""
SECOND = FIRST.replace("version=1", "version=2") + '    folder: str = "all"\n'
THIRD = """
@event("marked", version=3, subject="tweet")
class Marked:
    tweet: str
    owner: dict[str, str]
    folder: str = "all"


@upcaster(Marked, from_version=2)
def owned(data: dict) -> dict:
    return {"tweet": data["tweet"], "folder": data["folder"], "owner": {"id": data["user"]}}


@upcaster(Marked, from_version=1)
def filed(data: dict) -> dict:
    return {**data, "folder": "all"}
"""
FOOT = """
marks = Service("marks", emits=[Marked])


@marks.on(Marked, replayable=True)
async def keep(event: Marked, ctx: Context) -> None:
    {first}
    with Path("seen").open("a") as seen:
        seen.write(f"{{ctx.envelope.stored_version}} {{event}}\\n")


app = App(marks)
"""


def release(place: Place, declared: str, *, first: str = "pass") -> None:
    (place.folder / "shop.py").write_text(HEAD + declared + FOOT.format(first=first), "utf-8")


def put(url: str, version: int, **data: object) -> None:
    headers = {"ce-type": "marked", "ce-dataversion": str(version), "content-type": "application/json"}
    body = json.dumps({"tweet": "20", **data}).encode()
    sent = urllib.request.Request(f"{url}/events/web/{version}", body, headers, method="PUT")
    with urllib.request.urlopen(sent, timeout=30) as answer:
        assert answer.status == 201


def seen(folder: Path) -> list[str]:
    """Return the versions that were handed over, each with what the handler saw."""
    return (folder / "seen").read_text("utf-8").splitlines() if (folder / "seen").exists() else []


def wait(folder: Path, count: int) -> list[str]:
    """Return them, once there are so many."""
    for _ in range(600):
        if len(seen(folder)) >= count:
            break
        time.sleep(0.05)
    return seen(folder)


def test_a_replay_over_three_versions_succeeds_once_there_is_a_step_for_the_one_that_was_dead(tmp_path: Path) -> None:
    place = Place(tmp_path)
    release(place, FIRST, first='raise NotRetryable("not today")')
    with place.serving() as url:
        put(url, 1, user="jo")
        place.eventually("dead", "list", until=lambda dead: dead)
    release(place, SECOND)
    with place.serving() as url:
        put(url, 2, user="jo", folder="mine")
    assert seen(tmp_path) == []  # it waits behind the dead letter of its subject
    release(place, THIRD)
    with place.serving() as url:
        put(url, 3, owner={"id": "jack"})
        assert place.tidings("dead", "redrive", "marks", "--all").code == 0
        wanted = [
            "1 Marked(tweet='20', owner={'id': 'jo'}, folder='all')",
            "2 Marked(tweet='20', owner={'id': 'jo'}, folder='mine')",
            "3 Marked(tweet='20', owner={'id': 'jack'}, folder='all')",
        ]
        assert wait(tmp_path, 3) == wanted
        ended = place.tidings("log", "replay", "marks", "--from-position", "1", "--app", "shop:app")
        assert ended.code == 0, ended.err
        assert wait(tmp_path, 6) == wanted * 2
        assert place.tidings("dead", "list", "--json").json == []
