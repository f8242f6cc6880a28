"""Answers in which a secret stands, kept for whoever repeats the request: sealed as the secret itself is."""

from __future__ import annotations

from tidings.api.problems import Problem, Refusal
from tidings.ports import Ports
from tidings.webhooks.sealing import SETTING, Keyring, opened_bytes, sealed_bytes

_ABOUT = "an answer under a key"
_UNREADABLE = (
    f"this was done when the request came first, and the answer with its secret cannot be read any more: set {SETTING} "
    'to the key of then, or have a new secret made: POST /endpoints/{endpoint}/secrets with its kind, "grace_s": 0 '
    "and another Idempotency-Key, then DELETE /endpoints/{endpoint}/secrets/{secret} for each older one that is left, "
    "and resume it if it is paused: nothing is sent while one that cannot be read still signs"
)


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
            raise Refusal(Problem.ENDPOINT_STATE, _UNREADABLE)
        return answer
