from __future__ import annotations

import pytest

from tidings.errors import InvalidPositionError
from tidings.faces.tokens import Tokens

TOKENS = Tokens("k3f9-a1c2")


def test_a_token_is_read_as_it_was_written() -> None:
    assert TOKENS.write(18442) == "k3f9-a1c2-18442"
    assert TOKENS.read("k3f9-a1c2-18442", name="after") == 18442


@pytest.mark.parametrize(
    "token",
    [
        "",
        "18442",
        "-18442",
        "k3f9-a1c2-",
        "k3f9-a1c2-x",
        "k3f9-a1c2--1",
        "k3f9-a1c2-٣",
        "other-18442",
        "k3f9-a1c2-" + "9" * 20,
    ],
)
def test_a_token_of_another_log_or_none_is_refused(token: str) -> None:
    with pytest.raises(InvalidPositionError) as caught:
        TOKENS.read(token, name="after")
    assert str(caught.value).startswith("after: ")


def test_a_token_beyond_the_head_was_never_given_out() -> None:
    TOKENS.check(7, head=7, name="after")
    with pytest.raises(InvalidPositionError, match="after: 'k3f9-a1c2-8' lies beyond the last event"):
        TOKENS.check(8, head=7, name="after")
