"""The one room that knows all: services, back ends, and what carries entries between them."""

from tidings.app.app import App
from tidings.app.declared import Declared, judged_elsewhere
from tidings.app.engines import begin_life, holds_log, life_of, migrate, schema_of
from tidings.app.opened import Opened
from tidings.app.opening import open_services

__all__ = [
    "App",
    "Declared",
    "Opened",
    "begin_life",
    "holds_log",
    "judged_elsewhere",
    "life_of",
    "migrate",
    "open_services",
    "schema_of",
]
