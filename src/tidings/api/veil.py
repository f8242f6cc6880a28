"""Answers in which a secret stands, kept for whoever repeats the request: sealed as the secret itself is."""

from __future__ import annotations

from tidings.errors import SettingError
from tidings.ports import Ports
from tidings.webhooks.sealing import SETTING, Keyring, opened_bytes, sealed_bytes

_ABOUT = "an answer under a key"


class AnswerVeil:
    """See `tidings.api.repeats.Veil`."""

    def __init__(self, keyring: Keyring, ports: Ports) -> None:
        self._keyring = keyring
        self._random = ports.random

    def hide(self, answer: bytes) -> bytes:
        return sealed_bytes(answer, self._keyring, about=_ABOUT, draw=self._random.randbytes)

    def show(self, kept: bytes) -> bytes:
        answer = opened_bytes(kept, self._keyring, about=_ABOUT)
        if answer is None:
            raise SettingError(f"{SETTING} does not hold the key under which an answer was kept")
        return answer
