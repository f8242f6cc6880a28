"""`tidings version`."""

from __future__ import annotations

import platform

from tidings import __version__
from tidings.cli.output import Output
from tidings.cli.session import AsJson


def version(as_json: AsJson = False) -> None:
    """Say which release this is, and of which Python.

    Example: tidings version
    """
    output = Output(as_json=as_json)
    if as_json:
        output.json({"tidings": __version__, "python": platform.python_version()})
    output.say(f"tidings {__version__} on Python {platform.python_version()}")
