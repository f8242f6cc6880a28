from __future__ import annotations

from tidings.wording import absent, counted


def test_a_number_has_its_noun_in_the_right_form() -> None:
    assert [counted(number, "row") for number in (0, 1, 2, 1_000)] == ["0 rows", "1 row", "2 rows", "1,000 rows"]
    assert [counted(number, "entry is", "entries are") for number in (1, 2)] == ["1 entry is", "2 entries are"]


def test_a_name_that_there_is_not_is_told_with_the_nearest_there_is() -> None:
    assert absent("view", "a.c", []) == "there is no view 'a.c'; there is none"
    assert absent("view", "a.c", ["b", "a.b"]) == "there is no view 'a.c'; there is a.b, b: did you mean a.b?"


def test_a_name_is_told_with_what_it_is_of_and_what_else_to_do() -> None:
    look = "look for it among those that are listed"
    assert absent("version", "3", ["1", "2"], of="order") == "there is no version '3' of order; there is 1, 2"
    assert absent("event", "3", of="a\x1b[0m") == rf"there is no event '3' of 'a\x1b[0m'; {look}"
    assert absent("delivery", "x") == f"there is no delivery 'x'; {look}"
    assert absent("dead letter", "x", hint="it was handled") == "there is no dead letter 'x'; it was handled"
    assert absent("scope", "x", [], hint="declare one") == "there is no scope 'x'; there is none; declare one"
