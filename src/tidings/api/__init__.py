"""The HTTP face: one ASGI application for events in, events out, and views."""

from tidings.api.hosting import asgi

__all__ = ["asgi"]
