"""Templates, style and script, read from the package, and the rules under which a browser uses them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tidings.console import texts
from tidings.wording import counted

TYPES: Mapping[str, str] = MappingProxyType(
    {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
)

# Nothing but our own files, no inline style or script, and no way to turn text into markup in the script.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": POLICY,
        "cache-control": "no-store",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
    }
)


class Pages:
    """Renders templates, and holds the static files. `version`: changes with these, so that browsers may keep them."""

    def __init__(self) -> None:
        static = files("tidings.console") / "static"
        self.static: Mapping[str, bytes] = {name: (static / name).read_bytes() for name in TYPES}
        self.version = hashlib.sha256(b"".join(self.static.values())).hexdigest()[:12]
        self._templates = Environment(
            loader=PackageLoader("tidings.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in ("visible", "parted", "moment", "machine_time", "span", "number"):
            self._templates.filters[name] = getattr(texts, name)
        self._templates.filters["counted"] = counted

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        return self._templates.get_template(template).render(values, version=self.version)
