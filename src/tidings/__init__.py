"""Events that arrive twice, late, out of order or never, and a system that ends in the right state anyway."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from tidings.events.transformers import downcaster, upcaster
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
    "downcaster",
    "event",
    "upcaster",
]

if not TYPE_CHECKING:  # a checker shall not believe that the package has every name
    _HOMES = {
        "App": "tidings.app",
        "Context": "tidings.services.context",
        "Delivery": "tidings.services.delivery",
        "Envelope": "tidings.events.envelope",
        "Service": "tidings.services.service",
        "Settings": "tidings.settings",
        "downcaster": "tidings.events.transformers",
        "event": "tidings.events.declaration",
        "upcaster": "tidings.events.transformers",
    }
    """Where a public name is defined, if not among the errors."""

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first asked for (PEP 562): the command line helps at once without them."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(_HOMES.get(name, "tidings.errors")), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
