"""What is declared wrongly in a service is refused at once, in words that show the right form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.services.shop import IN_MEMORY
from tidings import App, CallerError, DeclarationError, Service, event


@event("noted", subject="key")
class Noted:
    key: str
    number: int = 0


class AsyncCall:
    async def __call__(self, row: object, event: object) -> None:
        return None


class GeneratorCall:
    def __call__(self, row: object, event: object) -> Any:
        yield None


class PlainCall:
    def __call__(self, row: object, event: object) -> None:
        return None


class NoFunction:
    def __init__(self, row: object, event: object) -> None:
        return None


async def asynchronous(row: object, event: object) -> None:
    return None


def shelf(**view: Any) -> tuple[Service, Any]:
    service = Service("shop")

    class Row:
        key: str

    return service, service.view(**{"key": ("key",), **view})(Row)


@pytest.mark.parametrize("name", [5, None, b"shop", "", "My Shop", "tidings", "tidings_x", "sqlite", "sqlite_x"])
def test_a_service_needs_a_name_that_tables_can_begin_with(name: Any) -> None:
    with pytest.raises(DeclarationError, match="is no name for a service: its tables begin with it"):
        Service(name)


@pytest.mark.parametrize(
    ("emits", "told"),
    [
        (Noted, r"a list of event classes: write Service\('shop', emits=\[Noted\]\)"),
        ("noted", "a list of event classes"),
        (5, "a list of event classes"),
        ([Noted("a")], r"Noted\(key='a', number=0\) is no class: give the event's class itself"),
        (["noted"], "'noted' is no class: give the event's class itself"),
        ([int], "int is not declared as an event"),
    ],
)
def test_what_is_emitted_is_a_list_of_event_classes(emits: Any, told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        Service("shop", emits=emits)


def test_a_view_needs_a_key() -> None:
    form = r'needs a key, which names its rows: write @shop\.view\(key=\("user_id",\)\) above a class'

    class Row:
        key: str

    with pytest.raises(DeclarationError, match=form):
        Service("shop").view(Row)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match=form):
        Service("shop").view()
    with pytest.raises(DeclarationError, match=form):
        Service("shop").view(key=())


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("key", r"must be a tuple, even of one: write key=\('key',\)"),
        (5, "must be a tuple of members' names"),
        ({"key"}, "must be a tuple of members' names"),
        ((5,), "must be a tuple of members' names"),
    ],
)
def test_a_key_is_a_tuple_of_names(key: Any, told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        shelf(key=key)
    service, row = shelf()
    with pytest.raises(DeclarationError, match=told):
        service.fold(row, Noted, key=key)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (asynchronous, "must not be async"),
        (functools.partial(asynchronous), "must not be async"),
        (AsyncCall(), "must not be async"),
        (GeneratorCall(), "is a generator"),
        (NoFunction, "NoFunction is a class, not a function"),
        (lambda row: None, "cannot be called with 2 arguments"),
        (5, "is no function"),
    ],
)
def test_a_fold_is_a_plain_function_of_a_row_and_an_event(function: Any, told: str) -> None:
    service, row = shelf()
    with pytest.raises(DeclarationError, match=rf"{told}.*write @shop\.fold\(View, Event\) above"):
        service.fold(row, Noted)(function)


def test_any_plain_function_may_be_a_fold() -> None:
    plain: Any = PlainCall()
    functions: list[Callable[[Any, Any], None]] = [lambda row, event: None, plain, functools.partial(plain), dict.get]
    for function in functions:
        service, row = shelf()
        assert service.fold(row, Noted)(function) is function


@pytest.mark.parametrize("given", [Noted("a"), "noted", None])
def test_folds_and_handlers_are_given_the_class_of_an_event(given: Any) -> None:
    service, row = shelf()
    with pytest.raises(DeclarationError, match="is no class: give the event's class itself"):
        service.fold(row, given)
    with pytest.raises(DeclarationError, match="is no class: give the event's class itself"):
        service.on(given)


def test_a_fold_is_given_the_class_of_a_view() -> None:
    service, row = shelf()
    for given in (row("a"), [], Noted):
        with pytest.raises(DeclarationError, match=r"is no view of shop, which has .*Row: write @shop\.view"):
            service.fold(given, Noted)


@pytest.mark.parametrize("function", [NoFunction, AsyncCall()])
def test_a_handler_is_a_function_with_a_name(function: Any) -> None:
    with pytest.raises(DeclarationError, match=r"write @shop\.on\(Event\) above `async def name"):
        Service("shop").on(Noted)(function)


def test_a_delivery_may_not_be_a_class() -> None:
    with pytest.raises(DeclarationError, match=r"is a class, not a function: write @shop\.delivery above"):
        Service("shop").delivery(NoFunction)  # type: ignore[type-var]


def test_a_rank_that_an_event_does_not_have_is_told_as_that() -> None:
    service, row = shelf(rank="version")
    with pytest.raises(DeclarationError, match=r"Noted has no member 'version' to order by, .*; there is key, number$"):
        service.fold(row, Noted)(lambda row, event: None)


def test_two_views_that_would_be_one_table_are_refused_before_anything_is_opened() -> None:
    one, other = Service("a_b"), Service("a")

    @one.view(key=("key",))
    class Cat:
        key: str

    @other.view(key=("key",))
    class BCat:
        key: str

    with pytest.raises(DeclarationError, match=r"a_b\.cat and the view a\.b_cat would both be the table a_b_cat"):
        App(one, other)


async def test_a_command_is_given_a_key_that_is_a_text() -> None:
    service, _ = shelf()
    app = App(service)
    async with app.open(IN_MEMORY, consume=False):
        for key in (5, "", b"k"):
            with pytest.raises(CallerError, match="must be a text that names the command"):
                app.unit("shop", key=key)  # type: ignore[arg-type]


async def test_rows_are_named_by_the_class_of_their_view_and_put_as_rows() -> None:
    service, row = shelf()
    app = App(service)
    async with app.open(IN_MEMORY, consume=False), app.unit("shop") as ctx:
        for wrong in (5, "Row", row("a")):
            with pytest.raises(DeclarationError, match="is no view's class: give that, then the key"):
                await ctx.get(wrong, key="a")
            with pytest.raises(DeclarationError, match="is no view's class: give that, then the key"):
                await ctx.delete(wrong)
        with pytest.raises(DeclarationError, match=r"Row is a class: give one row of it, written .*Row\(…\)"):
            await ctx.put(row)


def test_the_pattern_of_a_handler_is_read_when_it_is_declared() -> None:
    with pytest.raises(DeclarationError, match="the event pattern is wrong at /data/key"):
        Service("shop").on(Noted, pattern={"data": {"key": "a"}})
