"""Which browser asks: a random name in a cookie, what only our own pages can know, and the key it has shown."""

from __future__ import annotations

import base64
import hmac
import re
from typing import Literal

from tidings.ports import Ports

_NAME = re.compile(r"[0-9a-f]{32}")

Use = Literal["form", "told"]


IDLE_SECONDS = 12 * 3_600
KEYS_MAX = 1_000


class Sessions:
    """Names browsers and signs for them, under a secret that lives as long as the server.

    A token is bound to the name, so that one who plants a cookie of his own cannot know the token to another. Which API
    key a browser has shown is kept here alone, never in its cookie, and forgotten after `IDLE_SECONDS` without a page.
    """

    def __init__(self, ports: Ports) -> None:
        self._random = ports.random
        self._clock = ports.clock
        self._secret = ports.random.getrandbits(256).to_bytes(32, "big")
        self._keys: dict[str, tuple[str, float]] = {}

    def key_of(self, name: str | None) -> str | None:
        """Return the API key that the browser of this name has shown; None if it has shown none."""
        key, until = self._keys.pop(name or "", ("", float("-inf")))
        if name is None or until < self._clock.monotonic():
            return None
        self._keep(name, key)
        return key

    def begin(self, key: str) -> str:
        """Return a new name for a browser that has shown this key: an old one may be known to somebody else."""
        name = self.named(None)
        self._keep(name, key)
        return name

    def end(self, name: str) -> None:
        """Forget the key."""
        self._keys.pop(name, None)

    def _keep(self, name: str, key: str) -> None:
        if len(self._keys) >= KEYS_MAX:
            del self._keys[next(iter(self._keys))]  # who has not been here for longest
        self._keys[name] = key, self._clock.monotonic() + IDLE_SECONDS

    def named(self, cookie: str | None) -> str:
        """Return the name in the cookie, a new one if that is none of ours."""
        if cookie is not None and _NAME.fullmatch(cookie):
            return cookie
        return f"{self._random.getrandbits(128):032x}"

    def token(self, name: str) -> str:
        """Return what every form for this browser carries."""
        return self._signed("form", name)

    def is_token(self, name: str, token: str) -> bool:
        return hmac.compare_digest(self.token(name).encode(), token.encode())

    def seal(self, name: str, text: str) -> str:
        """Return the text as a cookie value that nobody else can have made."""
        coded = base64.urlsafe_b64encode(text.encode()).decode()
        return f"{coded}.{self._signed('told', f'{name}:{coded}')}"

    def unseal(self, name: str, value: str | None) -> str | None:
        """Return the text that was sealed for this browser; None if it was not."""
        coded, _, signature = (value or "").partition(".")
        if not coded or not hmac.compare_digest(self._signed("told", f"{name}:{coded}").encode(), signature.encode()):
            return None
        return base64.urlsafe_b64decode(coded).decode()

    def _signed(self, use: Use, text: str) -> str:
        return hmac.new(self._secret, f"{use}:{text}".encode(), "sha256").hexdigest()
