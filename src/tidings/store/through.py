"""A store, or a unit of one, in front of another: it takes some calls for itself and passes all others on."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Through(Generic[T]):
    """Passes on what its class does not define. Whoever makes one casts it to what it stands in front of."""

    def __init__(self, inner: T) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
