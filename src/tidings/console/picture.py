"""Where everything stands in the picture of what flows: producers on the left, types, consumers on the right.

A pure function of the flow, so that the same flow is the same picture. Lengths are in units of the drawing, about a
pixel each. Whoever has several lines is as high as they need: each has a place of its own, with its words beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from tidings.faces.flow import OUTSIDE, Accepts, Emits, Flow, Pins
from tidings.versions.census import Census

Point = tuple[float, float]
Side = Literal["left", "right"]
Kind = Literal["service", "outside", "endpoint"]
Look = Literal["even", "behind", "held", "pin"]
"""Of a line: all is accepted; a version is not; an instance waits for admission; an endpoint's."""

WIDTH, SERVICE, TYPE = 780.0, 130.0, 180.0
ROW, GAP, MARGIN, HEAD = 24.0, 16.0, 8.0, 22.0
CHIP, CHIP_GAP, CHIPS_MOST = 26.0, 5.0, 5
ENDPOINTS_MOST = 6
NO_NOTES: Mapping[str, str] = MappingProxyType({})
_LETTER, _BEND = 6.3, 40.0
"""About the width of a letter beside a line, and how far a line bends at least."""
_TYPE_LEFT = (WIDTH - TYPE) / 2
_PASSES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A version of a type, in a small box. `gate` and `life` as the census has them."""

    x: float
    version: str
    gate: str
    life: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """`name`: as it is written there, cut if it is long. `note`: below it."""

    x: float
    y: float
    width: float
    height: float
    name: str
    kind: str
    note: str = ""
    chips: tuple[Chip, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """From a service to a type, or from a type to a service or an endpoint. `path`: of SVG. `text`: beside it."""

    path: str
    look: Look
    text: str
    x: float
    y: float
    anchor: Literal["start", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """`left`, `right`: where the headings beside the outer columns stand."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    left: float = SERVICE + 7
    right: float = WIDTH - SERVICE - 12


@dataclass(frozen=True, slots=True)
class _Link:
    side: Side
    end: str
    type: str
    kind: Kind
    look: Look
    text: str


def picture_of(flow: Flow, known: Census, notes: Mapping[str, str] = NO_NOTES) -> Picture:
    """Return the picture. Of more endpoints than are told apart, one box stands for all. `notes`: by service."""
    links = [*map(_emitting, flow.emits), *map(_accepting, flow.accepts), *map(_pinned, _together(flow.pins))]
    drawing = _Drawing(flow.types, links, known, notes)
    return drawing.picture()


class _Drawing:
    def __init__(self, types: Sequence[str], links: Sequence[_Link], known: Census, notes: Mapping[str, str]) -> None:
        self._links = links
        self._known = known
        self._notes = notes
        self._types = list(types)
        self._ends: dict[Side, list[str]] = {"left": [], "right": []}
        for each in links:
            if each.end not in self._ends[each.side]:
                self._ends[each.side].append(each.end)
        self._untangle()

    def picture(self) -> Picture:
        heights = {
            side: [self._height(sum(1 for each in self._links if (each.side, each.end) == (side, end))) for end in ends]
            for side, ends in self._ends.items()
        }
        of_types = [
            self._height(
                max(2, *(sum(1 for each in self._links if (each.side, each.type) == (side, type)) for side in heights))
            )
            for type in self._types
        ]
        height = HEAD + max(map(_stacked, (*heights.values(), of_types)))
        tops = {side: _tops(found, height) for side, found in heights.items()}
        boxes = {
            (side, end): self._box(side, end, top, tall)
            for side, ends in self._ends.items()
            for end, top, tall in zip(ends, tops[side], heights[side], strict=True)
        }
        middle = {
            type: self._type_box(type, top, tall)
            for type, top, tall in zip(self._types, _tops(of_types, height), of_types, strict=True)
        }
        lines = tuple(self._line(each, boxes[each.side, each.end], middle[each.type]) for each in self._links)
        return Picture(width=WIDTH, height=height, boxes=(*middle.values(), *boxes.values()), lines=lines)

    def _untangle(self) -> None:
        """Put what is joined at about the same height, so that few lines cross; ties go by name."""
        for _ in range(_PASSES):
            for side, ends in self._ends.items():
                types: dict[object, float] = {type: n for n, type in enumerate(self._types)}
                ends.sort(key=_by_middle([(each.end, each.type) for each in self._links if each.side == side], types))
            place: dict[object, float] = {
                (side, end): n / len(ends) for side, ends in self._ends.items() for n, end in enumerate(ends)
            }
            self._types.sort(key=_by_middle([(each.type, (each.side, each.end)) for each in self._links], place))

    def _height(self, lines: int) -> float:
        return max(1, lines) * ROW + 12

    def _box(self, side: Side, end: str, top: float, tall: float) -> Box:
        kind = next(each.kind for each in self._links if (each.side, each.end) == (side, end))
        x = 0.0 if side == "left" else WIDTH - SERVICE
        name, note = cut(end or "outside", 17), "" if kind == "endpoint" else cut(self._notes.get(end, ""), 20)
        return Box(x=x, y=top, width=SERVICE, height=tall, name=name, kind=kind, note=note)

    def _type_box(self, type: str, top: float, tall: float) -> Box:
        rows = [each for _, each in sorted(self._known.of_type(type).items()) if each.life != "retired"]
        shown = rows[-CHIPS_MOST:]
        left = _TYPE_LEFT + (TYPE - len(shown) * CHIP - max(0, len(shown) - 1) * CHIP_GAP) / 2
        chips = tuple(
            Chip(x=left + n * (CHIP + CHIP_GAP), version=cut(str(each.version), 4), gate=each.gate, life=each.life)
            for n, each in enumerate(shown)
        )
        return Box(x=_TYPE_LEFT, y=top, width=TYPE, height=tall, name=cut(type, 23), kind="type", chips=chips)

    def _line(self, link: _Link, end: Box, type: Box) -> Line:
        of_end = self._in_order([each for each in self._links if (each.side, each.end) == (link.side, link.end)])
        of_type = self._in_order([each for each in self._links if (each.side, each.type) == (link.side, link.type)])
        at_end = end.y + 6 + ROW * (of_end.index(link) + 0.5) + (end.height - 12 - ROW * len(of_end)) / 2
        at_type = type.y + 6 + ROW * (of_type.index(link) + 0.5) + (type.height - 12 - ROW * len(of_type)) / 2
        if link.side == "left":
            path = _curve((end.x + end.width, at_end), (type.x - 7, at_type), level=self._level("left"))
            return Line(path=path, look=link.look, text=link.text, x=end.width + 7, y=at_end - 5, anchor="start")
        path = _curve((type.x + type.width, at_type), (end.x - 7, at_end), level=-self._level("right"))
        return Line(path=path, look=link.look, text=link.text, x=end.x - 12, y=at_end - 5, anchor="end")

    def _level(self, side: Side) -> float:
        """Return how far lines stay level beside their words, all the same: so those of one box do not cross."""
        longest = max(len(each.text) for each in self._links if each.side == side)
        return min(16 + longest * _LETTER, _TYPE_LEFT - SERVICE - _BEND)

    def _in_order(self, links: list[_Link]) -> list[_Link]:
        """Sort the lines of one box by where their other ends are, so that they do not cross before it."""
        ends = self._ends
        return sorted(links, key=lambda each: (self._types.index(each.type), ends[each.side].index(each.end)))


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters, its middle left out: names differ at their ends."""
    if len(text) <= most:
        return text
    before = (most - 1) // 2
    return f"{text[:before]}…{text[before + 1 - most :]}"


def _emitting(each: Emits) -> _Link:
    has = f", has {_told(each.waits)}" if each.waits else ""
    text = ("none" if each.writes is None else str(each.writes)) + has
    kind: Kind = "outside" if each.service == OUTSIDE else "service"
    return _Link("left", each.service, each.type, kind, "behind" if each.waits else "even", cut(text, 22))


def _accepting(each: Accepts) -> _Link:
    text = _told(each.versions) + (f", not {_told(each.lacks)}" if each.lacks else "")
    look: Look = "held" if each.held else "behind" if each.lacks else "even"
    return _Link("right", each.service, each.type, "service", look, cut(f"{text}, held" if each.held else text, 22))


def _pinned(each: Pins) -> _Link:
    text = f"pin {_told(each.versions)}" if len(each.versions) == 1 else f"pins {_told(each.versions)}"
    return _Link("right", each.endpoint, each.type, "endpoint", "pin", cut(text, 22))


def _together(pins: Sequence[Pins]) -> Sequence[Pins]:
    """Return the same, with one that stands for all if there are more than are told apart."""
    names = {each.endpoint for each in pins}
    if len(names) <= ENDPOINTS_MOST:
        return [replace(each, endpoint=f"to {each.endpoint}") for each in pins]
    found: dict[str, set[int]] = {}
    for each in pins:
        found.setdefault(each.type, set()).update(each.versions)
    all_of_them = f"to {len(names):,} endpoints"
    return [Pins(endpoint=all_of_them, type=type, versions=tuple(sorted(each))) for type, each in found.items()]


def _told(versions: Sequence[int]) -> str:
    """Return versions shortly: a range for those that follow each other, `1–3 5`."""
    parts: list[list[int]] = []
    for each in versions:
        if parts and each == parts[-1][-1] + 1:
            parts[-1].append(each)
        else:
            parts.append([each])
    return " ".join(f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts) or "none"


def _by_middle(
    links: Iterable[tuple[str, object]], place: Mapping[object, float]
) -> Callable[[str], tuple[float, str]]:
    """Return a key: the mean of the places of what a name is linked with, then the name."""
    found: dict[str, list[float]] = {}
    for name, other in links:
        found.setdefault(name, []).append(place[other])
    return lambda name: (sum(found[name]) / len(found[name]) if name in found else 0.0, name)


def _stacked(heights: Sequence[float]) -> float:
    return sum(heights) + GAP * max(0, len(heights) - 1) + 2 * MARGIN


def _tops(heights: Sequence[float], height: float) -> list[float]:
    """Return where each box of a column begins, the column in the middle of the height below the headings."""
    top = HEAD + (height - HEAD - _stacked(heights)) / 2 + MARGIN
    found = []
    for each in heights:
        found.append(top)
        top += each + GAP
    return found


def _curve(of: Point, to: Point, *, level: float) -> str:
    """Return a path that is level for as long as `level` says: from its beginning, or to its end if that is below 0."""
    out, back = of[0] + max(level, 0), to[0] + min(level, 0)
    middle = (out + back) / 2
    bend = f"C{middle:.1f} {of[1]:.1f} {middle:.1f} {to[1]:.1f} {back:.1f} {to[1]:.1f}"
    return f"M{of[0]:.1f} {of[1]:.1f}H{out:.1f}{bend}H{to[0]:.1f}"
