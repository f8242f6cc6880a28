"""`tidings run` with several workers, and with one that begins anew when its source changes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

PROGRAM = """
import os
from tidings import App, Service, event

@event("said", subject="who")
class Said:
    who: str

people = Service("people")

@people.view(key=("who",))
class Heard:
    who: str
    by: int
    word: str

@people.fold(Heard, Said)
def heard(row, event):
    return Heard(event.who, os.getpid(), "WORD")

app = App(people)
"""


@dataclass
class Run:
    process: Process
    url: str
    console: str | None

    @property
    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(60):
            while not await holds():
                await asyncio.sleep(0.05)

    async def say(self, session: aiohttp.ClientSession, who: str) -> int:
        headers = {"ce-type": "said", "content-type": "application/json"}
        async with session.put(f"{self.url}/events/test/{who}", headers=headers, json={"who": who}) as answer:
            return answer.status

    async def word_of(self, session: aiohttp.ClientSession, who: str) -> str | None:
        async with session.get(f"{self.url}/views/people/heard/{who}") as answer:
            found = await answer.json()
            return found["row"]["word"] if answer.status == 200 else None


@asynccontextmanager
async def running(folder: Path, *options: str, program: str = PROGRAM) -> AsyncIterator[Run]:
    (folder / "people.py").write_text(program.replace("WORD", "first"))
    command = [sys.executable, "-m", "tidings", "run", "people:app", "--port", "0", "--json", *options]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    try:
        ready = json.loads(await process.stdout.readline())
        yield Run(process, ready["url"], ready["console"])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def is_gone(worker: psutil.Process) -> bool:
    try:
        return not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it went between the two questions
        return True


async def test_workers_share_a_port_and_one_that_is_killed_is_begun_again(tmp_path: Path) -> None:
    async with running(tmp_path, "--workers", "2") as run, aiohttp.ClientSession() as session:
        first = {worker.pid for worker in run.workers}
        assert len(first) == 2
        assert await run.say(session, "anna") == 201
        os.kill(min(first), signal.SIGKILL)

        async def are_two() -> bool:
            now = {worker.pid for worker in run.workers if worker.is_running()}
            return len(now) == 2 and now != first

        await run.until(are_two)
        assert await run.say(session, "anna") == 200
        assert await run.say(session, "bert") == 201
        run.process.terminate()
        assert await run.process.wait() == 0
        assert not any(psutil.pid_exists(pid) for pid in first)


async def test_a_process_beside_the_workers_has_the_console_that_they_do_not_have(tmp_path: Path) -> None:
    async with running(tmp_path, "--workers", "2") as workers, aiohttp.ClientSession() as session:
        assert workers.console is None
        assert await workers.say(session, "anna") == 201
        async with session.get(f"{workers.url}/console") as answer:
            assert answer.status == 404
        async with running(tmp_path) as beside:
            assert beside.console == f"{beside.url}/console"
            async with session.get(f"{beside.console}/log") as answer:
                assert (answer.status, "anna" in await answer.text()) == (200, True)


async def test_no_worker_outlives_the_command_even_if_that_is_killed(tmp_path: Path) -> None:
    async with running(tmp_path, "--workers", "2") as run:
        workers = run.workers
        run.process.kill()
        await run.process.wait()

        async def are_gone() -> bool:
            return all(is_gone(worker) for worker in workers)

        await run.until(are_gone)


async def test_a_worker_that_cannot_begin_ends_the_command_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text("app = 5\n")
    command = [sys.executable, "-m", "tidings", "run", "people:app", "--port", "0", "--workers", "2"]
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=PIPE, stderr=PIPE)
    said, errors = await process.communicate()
    assert (process.returncode, said) == (2, b"")
    assert b"people:app is an int, not a tidings.App" in errors
    assert b"Traceback" not in errors


async def test_a_change_of_the_source_begins_the_server_anew_also_after_a_mistake(tmp_path: Path) -> None:
    async with running(tmp_path, "--reload") as run, aiohttp.ClientSession() as session:
        assert await run.say(session, "anna") == 201

        async def says_first() -> bool:
            return await run.word_of(session, "anna") == "first"

        await run.until(says_first)
        source = tmp_path / "people.py"
        source.write_text("this is no Python")

        async def is_down() -> bool:
            return not run.workers

        await run.until(is_down)
        source.write_text(PROGRAM.replace("WORD", "second"))

        async def says_second() -> bool:
            try:
                await run.say(session, "bert")
                return await run.word_of(session, "bert") == "second"
            except aiohttp.ClientError:
                return False

        await run.until(says_second)


async def test_while_the_source_has_a_mistake_callers_are_told_which_and_where(tmp_path: Path) -> None:
    async with running(tmp_path, "--reload") as run, aiohttp.ClientSession() as session:
        assert await run.say(session, "anna") == 201
        source = tmp_path / "people.py"
        source.write_text("\nthis is no Python")

        async def is_down() -> bool:
            return not run.workers

        await run.until(is_down)
        timeout = aiohttp.ClientTimeout(total=30)
        headers = {"ce-type": "said", "content-type": "application/json"}
        for path in ("/events/test/bert", "/anything?else"):
            async with session.put(f"{run.url}{path}", headers=headers, json={"who": "x"}, timeout=timeout) as answer:
                told = await answer.json(content_type="application/problem+json")
            assert (answer.status, told["status"], told["instance"]) == (503, 503, path.partition("?")[0])
            assert f"{source}, line 2): SyntaxError" in told["detail"]
            assert told["type"] == "urn:tidings:problem:not-running"
        source.write_text(PROGRAM.replace("WORD", "second"))

        async def answers() -> bool:
            try:
                return await run.say(session, "bert") in (200, 201)
            except aiohttp.ClientError:
                return False

        await run.until(answers)


async def test_several_workers_on_a_database_in_memory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "tidings", "run", "people:app", "--port", "0", "--workers", "2"]
    environ = os.environ | {"TIDINGS_DATABASE_URL": "sqlite:///:memory:"}
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environ, stdout=PIPE, stderr=PIPE)
    said, errors = await process.communicate()
    assert (process.returncode, said) == (2, b"")
    assert b"give TIDINGS_DATABASE_URL a file, or leave out --workers" in errors


async def test_reloading_several_workers_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tidings", "run", "people:app", "--reload", "--workers", "2"]
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=PIPE, stderr=PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"leave out --workers" in errors
