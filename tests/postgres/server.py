"""A real PostgreSQL server for the tests: on a free port of 127.0.0.1, in a folder of its own, with a password.

    server = shared(NEWEST)              one for all processes of this test run; nothing is flushed to disk
    with own(NEWEST) as server:          one for this test alone, flushing as in production: `kill`, `stop`, `start`

PostgreSQL refuses to run as root, so root runs it as the user "nobody".
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO

from tests.postgres import keeper
from tests.postgres.binaries import provide
from tidings.demo.server import free_port

ROLE = "tidings"
STARTS_WITHIN = 60.0
ENDS_WITHIN = 60.0
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or token_hex(8)
USER = "nobody" if os.geteuid() == 0 else ""

OPTIONS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=300",
    "max_prepared_transactions=20",
    "shared_buffers=64MB",
    "log_min_messages=warning",
    "timezone=UTC",
)
UNFLUSHED = ("fsync=off", "full_page_writes=off")


class Server:
    """A server whose data lie in `folder`. `flushed`: what is committed is on the disk, as in production."""

    def __init__(self, folder: Path, version: str, *, flushed: bool) -> None:
        self.folder = folder
        self.version = version
        self.flushed = flushed
        self.port = 0
        self.binaries = _reachable(provide(version), folder)
        self._data = folder / "data"
        self._users = _hold(folder)

    def url(self, database: str) -> str:
        password = (self.folder / "password").read_text("ascii")
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        """Make the data folder, which takes about a second."""
        (self.folder / "password").write_text(token_hex(16), "ascii")
        if USER:
            shutil.chown(self.folder / "password", USER)
        (self.folder / "password").chmod(0o600)
        self._data.mkdir(mode=0o700)
        if USER:
            shutil.chown(self._data, USER)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", f"--username={ROLE}"]
        command = [self.binaries / "initdb", *options, f"--pwfile={self.folder / 'password'}", "-D", self._data]
        _run(command)

    def follow(self, primary: Server) -> None:
        """Start it as a standby of a running server: on a copy of its data, receiving what that one writes."""
        shutil.copy(primary.folder / "password", self.folder)
        url = primary.url("postgres")
        copying = [
            "--checkpoint=fast",
            "--no-sync",
            "--wal-method=stream",
            "--dbname",
            url,
            "--pgdata",
            str(self._data),
        ]
        _run([str(self.binaries / "pg_basebackup"), *copying])
        (self._data / "standby.signal").touch()
        # Not as pg_basebackup writes it: its options may be newer than the libpq that the server finds here.
        self.start(f"primary_conninfo={url}")

    def start(self, *more: str) -> None:
        """Start it, with these options besides; come back when it takes connections. The port stays the same."""
        for _ in range(3):
            port = self.port or free_port()
            options = [*OPTIONS, *(() if self.flushed else UNFLUSHED), f"port={port}", *more]
            postgres = [str(self.binaries / "postgres"), "-D", str(self._data)]
            command = [*postgres, *(word for option in options for word in ("-c", option))]
            (self.folder / "ended").unlink(missing_ok=True)
            keeping = [sys.executable, keeper.__file__, str(self.folder), USER]
            subprocess.run([*keeping, *command], stdin=subprocess.DEVNULL, check=True)
            if self._is_ready():
                self.port = port
                return
        raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text('utf-8', 'replace')[-4000:]}")

    def _is_ready(self) -> bool:
        end = time.monotonic() + STARTS_WITHIN
        while not (self.folder / "ended").exists() and time.monotonic() < end:
            if self._status()[7:8] == ["ready"]:
                return True
            time.sleep(0.02)
        return False

    def _status(self) -> list[str]:
        """The lines of postmaster.pid: the first is the process, the eighth how far it is."""
        try:
            return [line.strip() for line in (self._data / "postmaster.pid").read_text("utf-8").splitlines()]
        except FileNotFoundError:
            return []

    @property
    def pid(self) -> int:
        return int(self._status()[0])

    def kill(self) -> None:
        """End every process of it at once, as a crash of the machine would, but for what the kernel still writes."""
        pid = self.pid
        _signal(pid, signal.SIGSTOP)  # so that it begins no further one, which would live on beside the next server
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
        for each in (pid, *map(int, children.stdout.split())):
            _signal(each, signal.SIGKILL)
        self._ended(pid)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends all sessions and writes what is to be written; SIGQUIT just ends."""
        pid = self.pid
        _signal(pid, how)
        self._ended(pid)

    def _ended(self, pid: int) -> None:
        end = time.monotonic() + ENDS_WITHIN
        while Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _is_there(pid):
            if time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL (process {pid}) did not end")
            time.sleep(0.02)

    def close(self) -> None:
        """Use it no more; the keeper ends it and removes its folder when nobody else does."""
        self._users.close()


def shared(version: str) -> Server:
    """Return the server of this version that all processes of this test run use, started by the first that asks."""
    folder = Path(tempfile.gettempdir()) / f"tidings-{RUN}-{version}"
    while True:
        folder.mkdir(mode=0o711, exist_ok=True)
        assert folder.stat().st_uid == os.geteuid(), f"{folder} is somebody else's"
        with (folder / "starting").open("a+") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            server = Server(folder, version, flushed=False)
            if not (folder / "starting").exists():  # the last user went meanwhile, and the folder with him
                server.close()
                continue
            starting.seek(0)
            port = starting.read()
            if port:
                server.port = int(port)
            else:
                server.make()
                server.start()
                starting.write(str(server.port))
            return server


@contextmanager
def own(version: str, *, options: Sequence[str] = (), under: Path | None = None) -> Iterator[Server]:
    """Start a server for this block alone, with its data in a new folder, which its user has to be able to reach."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-", dir=under))
    folder.chmod(0o711)
    server = Server(folder, version, flushed=True)
    try:
        server.make()
        server.start(*options)
        yield server
        if server._status():
            server.stop(signal.SIGQUIT)
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def standby(primary: Server) -> Iterator[Server]:
    """Start a server for this block that follows the primary, whose databases, users and passwords it has."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-"))
    folder.chmod(0o711)
    if USER:
        shutil.chown(folder, USER)
    server = Server(folder, primary.version, flushed=True)
    try:
        server.follow(primary)
        yield server
        if server._status():
            server.stop(signal.SIGQUIT)
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def _hold(folder: Path) -> IO[str]:
    users = (folder / "users").open("w")
    fcntl.flock(users, fcntl.LOCK_SH)
    return users


def _reachable(binaries: Path, folder: Path) -> Path:
    """Return programs that `USER` may start: a copy, if they lie below a folder that is closed to others."""
    if not USER or all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    copy = folder / "programs"
    if not copy.exists():
        shutil.copytree(binaries.parent, copy, symlinks=True)
    return copy / binaries.name


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **keeper.as_user(USER), cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _signal(pid: int, how: signal.Signals) -> None:
    if _is_there(pid):
        os.kill(pid, how)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
