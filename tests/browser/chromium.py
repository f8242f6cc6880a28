"""Where the tests' Chromium is, and how `make test` gets one: `python -m tests.browser.chromium`.

Found, in this order: the program that `TEST_BROWSER` names; a Chromium or Chrome on PATH; the one that Playwright has
downloaded. Where there is none, one is installed: by apt-get for root on Debian and its kin, else by Playwright.
The shell, which is Chromium without windows, comes first: a test takes half of the processor's time with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "TEST_BROWSER"
NAMES = (
    "chromium-headless-shell",
    "headless_shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
)
PACKAGES = ("chromium-headless-shell", "chromium")
DOWNLOADED = ("ms-playwright/chromium*/chrome-*/*hell", "ms-playwright/chromium-*/chrome-*/chrome")
CACHES = (".cache", "Library/Caches", "AppData/Local")

MISSING = f"""\
The tests of the pages need Chromium, and there is none here. One of these gets it:
  make test                                   installs it by itself where it can
  apt-get install chromium-headless-shell     on Debian and its kin, as root
  .venv/bin/playwright install chromium       a download for this user alone
  {VARIABLE}=/path/to/chrome make test   one that is somewhere else"""


def find() -> str | None:
    """Return the program to start; None if there is none. SystemExit if `TEST_BROWSER` names none."""
    named = os.environ.get(VARIABLE)
    if named:
        if not shutil.which(named):
            raise SystemExit(f"{VARIABLE} is {named!r}, which is no program that can be started")
        return named
    on_path = (shutil.which(name) for name in NAMES)
    return next((path for path in on_path if path), None) or _downloaded()


def _downloaded() -> str | None:
    for cache in CACHES:
        for pattern in DOWNLOADED:
            found = sorted((Path.home() / cache).glob(pattern))
            if found:
                return str(found[-1])
    return None


def provide() -> str:
    """Return the program to start, installed if there was none. SystemExit if nothing could install it."""
    for install in (_by_apt, _by_playwright):
        if find() is None:
            install()
    found = find()
    if found is None:
        raise SystemExit(MISSING)
    return found


def _by_apt() -> None:
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "-qq", "update"], check=False)
        for package in PACKAGES:
            print(f"installing a browser for the tests of the pages: apt-get install {package}", file=sys.stderr)
            subprocess.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", package], check=False)
            if find():
                return


def _by_playwright() -> None:
    print("getting chromium for the tests of the pages: playwright install chromium", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


if __name__ == "__main__":
    print(provide())
