"""A process that is begun and goes on beside the test: of `subprocess.Popen` what tests use, in the same words."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from select import select
from threading import Lock, Thread
from typing import IO

LOOK = 0.01


class Begun:
    """`told`: on which whoever waits for the process tells its number, and then how it ended.

    `stdout`, `stderr`: the ends to read of its streams; None if they lead elsewhere.
    """

    def __init__(self, told: socket.socket, stdout: IO[str] | None = None, stderr: IO[str] | None = None) -> None:
        self._told = told
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._lock = Lock()
        self.pid = self._number()
        self._reading: list[_Reading] = []

    def poll(self) -> int | None:
        """Return how it ended; None if it has not."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended: its exit code, below 0 if by a signal. TimeoutExpired after so many seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:  # others may look while one waits
                if self.returncode is None and select([self._told], [], [], 0)[0]:
                    self.returncode = self._number()
                    self._told.close()
                if self.returncode is not None:
                    return self.returncode
            left = _left(end)
            if left == 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(LOOK if left is None else min(LOOK, left))

    def _number(self) -> int:
        """Return the next number that is told. It is written at once, so it is there whole or not at all."""
        read = b""
        while not read.endswith(b"\n"):
            if not (more := self._told.recv(1)):
                raise RuntimeError("whoever waits for the process has ended before it")
            read += more
        return int(read)

    def send_signal(self, number: int) -> None:
        """Send it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read both streams to their ends, close them and wait; return what was read. TimeoutExpired as of `wait`."""
        end = None if timeout is None else time.monotonic() + timeout
        if not self._reading:
            self._reading = [_Reading(self.stdout), _Reading(self.stderr)]
        for each in self._reading:
            each.join(_left(end))
            if each.is_alive():
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        self.wait(_left(end))
        out, err = self._reading
        return out.read, err.read


class _Reading(Thread):
    """Reads a stream to its end while others go on."""

    def __init__(self, stream: IO[str] | None) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.read = ""
        self.start()

    def run(self) -> None:
        if self._stream is not None and not self._stream.closed:
            with self._stream as stream:
                self.read = stream.read()


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())
