"""Events that arrive twice, late, out of order or never, and a system that ends in the right state anyway."""

from tidings.app import App
from tidings.errors import (
    AuthorError,
    CallerError,
    ConflictError,
    DeclarationError,
    InvalidDataError,
    NotRetryable,
    OperatorError,
    TidingsError,
)
from tidings.events.declaration import event
from tidings.events.envelope import Envelope
from tidings.services.context import Context
from tidings.services.delivery import Delivery
from tidings.services.service import Service
from tidings.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "App",
    "AuthorError",
    "CallerError",
    "ConflictError",
    "Context",
    "DeclarationError",
    "Delivery",
    "Envelope",
    "InvalidDataError",
    "NotRetryable",
    "OperatorError",
    "Service",
    "Settings",
    "TidingsError",
    "event",
]
