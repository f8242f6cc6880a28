"""Reasons that lie in what is declared of a version: its class, its schema, its state, in words."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.store.versions import EventVersion
from tidings.versions.answer import Code, Reason, Word

_TO_DO: Mapping[Code, tuple[str, str]] = {
    "fixture-failed": ("correct-fixture", "correct the step, or its example in tests/versions"),
    "name-reserved": ("rename", "name the member anew"),
}


def no_class(producer: str, type: str, version: int) -> Reason:
    text = f"{producer} has no class for {type} {version}, or does not run"
    to_do = f"deploy a release of {producer} that has the class"
    if not producer:
        text = f"nothing that runs takes {type} {version} from outside: by a class, or by its schema and steps from it"
        to_do = "deploy a release that has the class, or whose lock file has the version and that has the steps from it"
    return Reason(
        "missing-step",
        text,
        {"producer": producer, "version": version},
        step={"do": "deploy", "service": producer},
        told=to_do,
    )


def no_class_here(type: str, version: int) -> Reason:
    return Reason(
        "missing-step",
        f"the code at hand has no class for {type} {version}",
        {"type": type, "version": version},
        step={"do": "declare", "type": type, "version": version},
        told=f"declare the class of {type} {version}, or name the application that has it",
    )


def not_the_next(type: str, version: int, highest: int) -> Reason:
    return Reason(
        "number-burnt" if version <= highest else "missing-step",
        f"{type} {highest} is there already, so the next version is {highest + 1}, not {version}",
        {"type": type, "version": version, "next": highest + 1},
        step={"do": "number-anew", "type": type, "version": highest + 1},
        told=f"declare it as version {highest + 1}",
    )


def other_schema(type: str, version: int) -> Reason:
    return Reason(
        "incompatible",
        f"{type} {version} is registered with another schema, and published or stored",
        {"type": type, "version": version},
        step={"do": "number-anew", "type": type, "version": version + 1},
        told="leave it as it was, and declare the change as the next version",
    )


def unfit(code: Code, type: str, version: int, text: str, answer: Word = "no") -> Reason:
    about = {"type": type, "version": version}
    do, told = _TO_DO.get(code, ("write-step", "write the step that bridges it, and an example of it"))
    return Reason(code, text, about, answer, step={"do": do, **about}, told=told)


def not_active(type: str, version: int, row: EventVersion | None) -> Reason:
    about = {"type": type, "version": version}
    if row is not None and row.life == "retired":
        told = "declare the change as the next version"
        return Reason("number-burnt", f"{type} {version} is retired", about, step={"do": "number-anew"}, told=told)
    state = "not registered" if row is None else row.life
    do, told = ("register", "run a release that declares it") if row is None else ("choose", "open a newer version")
    return Reason("not-active", f"{type} {version} is {state}", {**about, "state": state}, step={"do": do}, told=told)


def no_successor(type: str, version: int) -> Reason:
    return Reason(
        "not-active",
        f"there is no newer active version than {type} {version}",
        {"type": type, "version": version},
        step={"do": "register", "type": type, "version": version + 1},
        told="declare the version that takes its place",
    )
