"""The operator's console: pages, rendered here, of what operations tell."""

from tidings.console.application import PATH, Console

__all__ = ["PATH", "Console"]
