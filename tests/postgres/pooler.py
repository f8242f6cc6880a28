"""A real PgBouncer before a server. `python -m tests.postgres.pooler` gets it, as `make test` does.

In transaction mode, unless another is asked for: it hands every transaction to the next of its server connections, so
that nothing which a session keeps is found again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.postgres import keeper
from tests.postgres.server import USER
from tidings.demo.server import free_port

STARTS_WITHIN = 20.0
ELSEWHERE = "/usr/sbin"
"""Where Debian has it, which is on root's PATH alone."""

MISSING = """\
These tests need PgBouncer, and it is not here. One of these gets it:
  make test                            installs it by itself for root on Debian and its kin
  apt-get install pgbouncer            there, as root
  brew install pgbouncer               on macOS"""

SETTINGS = """\
[databases]
* = host={host} port={server_port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = {mode}
server_round_robin = 1
default_pool_size = 4
min_pool_size = 4
max_client_conn = 200
"""


def find() -> str | None:
    """Return the program; None if there is none."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path=ELSEWHERE)


def provide() -> str:
    """Return the program, installed if there was none. LookupError if nothing could install it."""
    if find() is None and shutil.which("apt-get") and os.geteuid() == 0:
        print("installing pgbouncer for the tests of PostgreSQL: apt-get install pgbouncer", file=sys.stderr)
        subprocess.run(["apt-get", "-qq", "update"], check=False)
        subprocess.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", "pgbouncer"], check=False)
    found = find()
    if found is None:
        raise LookupError(MISSING)
    return found


@contextmanager
def pooled(url: str, program: str, mode: str = "transaction") -> Iterator[str]:
    """Run one for this block before the server of `url`; give the URL of the same database behind it."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-"))
    with (folder / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        parts, port = urlsplit(url), free_port()
        _write(folder, port, url, mode)
        keeping = [sys.executable, keeper.__file__, str(folder), USER]
        subprocess.run([*keeping, program, str(folder / "pgbouncer.ini")], stdin=subprocess.DEVNULL, check=True)
        if not _answers(port, folder):
            raise RuntimeError(f"PgBouncer did not start:\n{(folder / 'log').read_text('utf-8', 'replace')[-4000:]}")
        yield parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()


def _write(folder: Path, port: int, url: str, mode: str) -> None:
    parts = urlsplit(url)
    files = {
        "pgbouncer.ini": SETTINGS.format(
            folder=folder,
            port=port,
            mode=mode,
            host=parts.hostname,
            server_port=parts.port,
            user=parts.username,
            password=parts.password,
        ),
        "users.txt": f'"{parts.username}" "{parts.password}"\n',
    }
    folder.chmod(0o711)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
        if USER:
            shutil.chown(folder / name, USER)
        (folder / name).chmod(0o600)


def _answers(port: int, folder: Path) -> bool:
    end = time.monotonic() + STARTS_WITHIN
    while not (folder / "ended").exists() and time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False


if __name__ == "__main__":
    try:
        print(provide())
    except LookupError as error:  # all other tests can run; those that need it fail, and say this again
        print(error, file=sys.stderr)
