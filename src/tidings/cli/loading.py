"""Finding the user's application by its name, and saying in the user's words why it cannot be found."""

from __future__ import annotations

import difflib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from tidings.errors import DeclarationError, SettingError

if TYPE_CHECKING:
    from tidings.app import App

_OWN = Path(__file__).resolve().parents[1]


def load_app_to_judge(name: str) -> App:
    """Return the same, whatever is wrong with the versions of its events: that is to be found, and reported."""
    from tidings.app import judged_elsewhere

    with judged_elsewhere():
        return load_app(name)


def load_app(name: str) -> App:
    """Return the App that `module:attribute` names; the current folder can be imported from.

    SettingError if there is nothing of that name; DeclarationError, with the line at fault, if importing it fails.
    """
    from tidings.app import App

    module_name, _, attribute = name.partition(":")
    module = _imported(module_name)
    found = getattr(module, attribute, None)
    if isinstance(found, App):
        return found
    apps = [key for key, value in vars(module).items() if isinstance(value, App)]
    others = [key for key in vars(module) if key != attribute]
    near = apps or (difflib.get_close_matches(attribute, others, n=1) if found is None else [])
    hint = f"did you mean {module_name}:{near[0]}?" if near else f"write `{attribute} = App(…)` in it"
    if found is None:
        raise SettingError(f"{module_name} has no attribute {attribute!r}: {hint}")
    kind = type(found).__qualname__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    raise SettingError(f"{name} is {article} {kind}, not a tidings.App: {hint}")


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise SettingError(
                f"there is no module {error.name!r} in {here}: run this in the folder that holds it, or install it"
            ) from None
        raise DeclarationError(_said(name, error)) from error
    except (Exception, SystemExit) as error:
        raise DeclarationError(_said(name, error)) from error


def _said(name: str, error: BaseException) -> str:
    kind = "" if isinstance(error, DeclarationError) else f"{type(error).__name__}: "
    return f"{name} cannot be imported ({_place(error)}): {kind}{error}"


def _place(error: BaseException) -> str:
    """Return the last line of the user's own that took part in the failure."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "before its first line"


def _is_users(file: str) -> bool:
    return not file.startswith("<") and not Path(file).resolve().is_relative_to(_OWN) and "importlib" not in file
