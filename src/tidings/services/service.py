"""One domain as its author writes it down: views with their folds, handlers of events, deliveries to the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar, dataclass_transform, get_args

import msgspec

from tidings.errors import DeclarationError, PatternError
from tidings.events.declaration import declared_class, value_class
from tidings.events.patterns.grammar import compile_pattern
from tidings.events.patterns.pattern import Pattern
from tidings.services.context import Context
from tidings.services.delivery import Delivery
from tidings.services.functions import Function, Handler, check_call, named
from tidings.views.declaration import FoldSpec, Mode, ViewSpec
from tidings.views.names import check_service_name, view_name

R = TypeVar("R")
E = TypeVar("E")
D = TypeVar("D", bound=Callable[[Any, Delivery], Awaitable[None]])

_VIEW_FORM = '@{0}.view(key=("user_id",)) above a class'
_FOLD_FORM = "@{0}.fold(View, Event) above `def name(row: View | None, event: Event) -> View | None`"
_ON_FORM = "@{0}.on(Event) above `async def name(event: Event, ctx: Context) -> None`"
_DELIVERY_FORM = "@{0}.delivery above `async def name(payload: dict[str, str], delivery: Delivery) -> None`"


class Service:
    """One domain. Its name begins its tables' names, and the events its handlers emit say it as their source.

    `emits`: the event classes that its handlers and commands emit, as far as no fold or handler of the app takes them.
    `standing`: it runs now and then, so that what its last release accepts counts while nothing of it runs.
    `replay_horizon`: how far back its handlers may be made to read again; None: not at all.
    DeclarationError, here and in all decorators, if something is declared wrongly; the message shows the right form.
    """

    def __init__(
        self,
        name: str,
        emits: Sequence[type] = (),
        *,
        standing: bool = False,
        replay_horizon: timedelta | None = None,
    ) -> None:
        check_service_name(name)
        if replay_horizon is not None and replay_horizon <= timedelta(0):
            raise DeclarationError(f"the replay_horizon of {name} is a time to look back: write timedelta(days=30)")
        self.standing = standing
        self.replay_horizon = replay_horizon
        self.name = name
        self.emits = _checked_emits(name, emits)
        self._views: dict[type, ViewSpec] = {}
        self._modes: dict[type, Mode] = {}
        self._ranks: dict[type, str | None] = {}
        self._handlers: list[Handler] = []
        self._functions: dict[str, Function] = {}
        self._copies: Mapping[str, tuple[type, ...]] = {}

    @dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
    def view(
        self,
        wrongly: None = None,
        /,
        *,
        key: Sequence[str] = (),
        mode: Mode = "async",
        version: int = 1,
        rank: str | None = None,
    ) -> Callable[[type[R]], type[R]]:
        """Declare a class as the rows of a view; its members are the columns, those in `key` name a row.

        `mode`: "async", a moment behind the log; "inline", folded with the append; "live", folded when read, by key
        only. `version`: raise it when columns, key, rank or the meaning of a fold change; the view is then built anew.
        `rank`: the member of each event, a whole number or a datetime, that orders them; None: the event's time.
        """
        if wrongly is not None or key == ():
            raise DeclarationError(f"a view needs a key, which names its rows: write {_VIEW_FORM.format(self.name)}")
        members = _checked_key(key)
        if mode not in get_args(Mode):
            raise DeclarationError(f'mode={mode!r} is none of "async", "inline", "live"')

        def declare(cls: type[R]) -> type[R]:
            row = value_class(cls)
            name = view_name(row)
            if any(view.name == name for view in self._views.values()):
                raise DeclarationError(f"{self.name} has two views named {name!r}: give one class another name")
            # Without its folds a view is complete only if handlers write it, so what depends on them is checked later.
            self._views[row] = ViewSpec(service=self.name, row=row, key=members, version=version)
            self._modes[row], self._ranks[row] = mode, rank
            return row

        return declare

    def fold(
        self, view: type[R], event: type[E], *, key: Sequence[str] | None = None
    ) -> Callable[[Callable[[R | None, E], R | None]], Callable[[R | None, E], R | None]]:
        """Declare a pure function (row or None, event) -> row or None: what the event makes of the row.

        `key`: the event's members that name the row, in the order of the view's key; None: those of the same names.
        """
        form = _FOLD_FORM.format(self.name)
        if not isinstance(view, type) or view not in self._views:
            raise DeclarationError(self._no_view(view))
        members = None if key is None else _checked_key(key)
        declared_class(event)

        def declare(function: Callable[[R | None, E], R | None]) -> Callable[[R | None, E], R | None]:
            check_call(function, form=form, must_be="plain")
            added = FoldSpec(event=event, function=function, key=members)
            self._views[view] = self._spec(view, (*self._views[view].folds, added))
            return function

        return declare

    def on(
        self, event: type[E], *, pattern: Mapping[str, Any] | None = None, replayable: bool = False
    ) -> Callable[[Callable[[E, Context], Awaitable[None] | None]], Callable[[E, Context], Awaitable[None] | None]]:
        """Declare a handler (event, ctx): it reads and writes the service's store and emits, in one transaction.

        It may run again at any time, and then leaves the same behind. The ids of what it emits follow from its name, so
        keep that when you move it. `replayable`: whether running it again over old events does its own tables no harm.
        `pattern`: an event pattern; it is called for what that matches. What it says of `data` is of the data as this
        class has it, also where the event was published in another version.
        """
        known, wanted = declared_class(event), _compiled(pattern)

        def declare(
            function: Callable[[E, Context], Awaitable[None] | None],
        ) -> Callable[[E, Context], Awaitable[None] | None]:
            form = _ON_FORM.format(self.name)
            check_call(function, form=form)
            handler = Handler(
                event=known, name=named(function, form=form), call=function, replayable=replayable, pattern=wanted
            )
            self._check_handler(handler)
            self._handlers.append(handler)
            return function

        return declare

    def delivery(self, function: D) -> D:
        """Declare an async function (payload, delivery) that `ctx.deliver` may be given: a call to the outside.

        It is called after the transaction, at least once, always with the same `delivery.idempotency_key`.
        """
        form = _DELIVERY_FORM.format(self.name)
        check_call(function, form=form, must_be="async")
        name = named(function, form=form)
        if name in self._functions:
            raise DeclarationError(f"{self.name} has two deliveries named {name!r}: give one of them another name")
        self._functions[name] = Function(name, function)
        return function

    @property
    def views(self) -> tuple[ViewSpec, ...]:
        """The views with all their folds, in the order of declaration; DeclarationError if one lacks something."""
        return tuple(self._spec(row, view.folds) for row, view in self._views.items())

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers, in the order of their declaration, which is the order they are called in."""
        return tuple(self._handlers)

    @property
    def functions(self) -> Mapping[str, Function]:
        """The functions that deliveries call, by name."""
        return MappingProxyType(self._functions)

    @property
    def copies(self) -> Mapping[str, tuple[type, ...]]:
        """What an application reconciles of it: by the consumer that keeps a copy, the event classes told of it."""
        return MappingProxyType(dict(self._copies))

    def with_copy(self, consumer: str, events: tuple[type, ...]) -> Service:
        """Return this service as an application has it that reconciles one copy more of it."""
        found = copy(self)
        found._copies = {**self._copies, consumer: events}
        return found

    @property
    def events(self) -> tuple[type, ...]:
        """Every event class that the service names, each once."""
        folded = [fold.event for view in self._views.values() for fold in view.folds]
        return tuple(dict.fromkeys([*folded, *(handler.event.cls for handler in self._handlers), *self.emits]))

    def _spec(self, row: type, folds: tuple[FoldSpec, ...]) -> ViewSpec:
        view = self._views[row]
        return ViewSpec(
            service=self.name,
            row=row,
            key=view.key,
            mode=self._modes[row],
            version=view.version,
            rank=self._ranks[row],
            folds=folds,
        )

    def _no_view(self, view: object) -> str:
        name = getattr(view, "__qualname__", repr(view))
        there = ", ".join(row.__qualname__ for row in self._views) or "none"
        return (
            f"{name} is no view of {self.name}, which has {there}: write {_VIEW_FORM.format(self.name)}, "
            f"then {_FOLD_FORM.format(self.name)}"
        )

    def _check_handler(self, handler: Handler) -> None:
        for other in self._handlers:
            if other.name == handler.name and other.call is not handler.call:
                raise DeclarationError(
                    f"{self.name} has two handlers named {handler.name!r}: ids follow from a handler's name, "
                    "so give one of them another"
                )
            if other.call is handler.call and other.event.cls is handler.event.cls:
                raise DeclarationError(f"{self.name}.{handler.name} is declared twice for {handler.event.type}")

    def __repr__(self) -> str:
        return f"Service({self.name!r})"


def _compiled(pattern: Mapping[str, Any] | None) -> Pattern | None:
    try:
        return None if pattern is None else compile_pattern(pattern)
    except PatternError as error:
        raise DeclarationError(str(error)) from error


def _checked_emits(service: str, emits: Sequence[type]) -> tuple[type, ...]:
    if isinstance(emits, str) or not isinstance(emits, Sequence):
        name = getattr(emits, "__qualname__", "Event")
        raise DeclarationError(f"emits must be a list of event classes: write Service({service!r}, emits=[{name}])")
    return tuple(declared_class(each).cls for each in emits)


def _checked_key(key: Sequence[str]) -> tuple[str, ...]:
    if isinstance(key, str):
        raise DeclarationError(f"key={key!r} must be a tuple, even of one: write key=({key!r},)")
    if not isinstance(key, Sequence) or not all(isinstance(member, str) for member in key):
        raise DeclarationError(f'key={key!r:.80} must be a tuple of members\' names: write key=("user_id",)')
    return tuple(key)
