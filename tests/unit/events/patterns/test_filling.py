from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from tidings.events.patterns.filling import filled


class Size(msgspec.Struct, omit_defaults=True, rename="camel"):
    in_metres: float = 0.1
    unset: int | msgspec.UnsetType = msgspec.UNSET


class Model(BaseModel):
    price: float = 0.1
    tags: list[str] = ["new"]


@dataclass
class Box:
    size: Size = field(default_factory=Size)
    worth: Decimal = Decimal("1.50")
    sizes: tuple[Size, ...] = (Size(),)


METRES = {"inMetres": Decimal("0.1")}


@pytest.mark.parametrize(
    ("given", "had", "expected"),
    [
        ({}, Size(), METRES),
        ({}, Model(), {"price": Decimal("0.1"), "tags": ["new"]}),
        ({}, msgspec.json.decode(b"{}", type=Box), {"size": METRES, "worth": "1.50", "sizes": [METRES]}),
        ({"sizes": [{}, {"more": 1}]}, Box(sizes=(Size(), Size())), None),
        ({"price": 1, "more": {"a": 1}}, Model(price=1), {"price": 1, "more": {"a": 1}, "tags": ["new"]}),
        ([], Box(), []),
    ],
)
def test_what_is_left_out_is_there_as_the_class_has_it(given: Any, had: Any, expected: Any) -> None:
    whole = {"size": METRES, "worth": "1.50", "sizes": [METRES, {**METRES, "more": 1}]}
    assert filled(given, had) == (whole if expected is None else expected)
