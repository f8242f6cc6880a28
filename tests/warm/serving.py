"""A process of the demonstration, begun without importing the program anew."""

from __future__ import annotations

from tests.warm.processes import begin
from tidings.demo.server import Server


class Warm(Server):
    """As `Server` is: a process of its own, with the same environment, folder and records."""

    def begin(self) -> None:
        module, *arguments = (*self._arguments, "--port", str(self.port))
        environment = self._place.environment_of(self.release)
        with self._place.log.open("ab") as log:
            self._process = begin(module, *arguments, folder=self._place.folder, environment=environment, records=log)
