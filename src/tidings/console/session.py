"""Which browser asks: a random name in a cookie, and tokens that only our own pages can know."""

from __future__ import annotations

import base64
import hmac
import random
import re
from typing import Literal

_NAME = re.compile(r"[0-9a-f]{32}")

Use = Literal["form", "told"]


class Sessions:
    """Names browsers and signs for them, under a secret that lives as long as the server.

    A token is bound to the name, so that one who plants a cookie of his own cannot know the token to another.
    """

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._secret = random.getrandbits(256).to_bytes(32, "big")

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
