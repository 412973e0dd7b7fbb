"""Sealed intents: a token says what may be done, by whom and until when, and only this key can write or read it."""

import base64
import binascii
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmcp_runtime import keys

Use = Literal["token", "question"]
GOOD_FOR_SECONDS = 600
_NONCE_BYTES = 12
_IDENTITY_BYTES = 16


@dataclass(frozen=True)
class Sealed:
    """What a token holds beside the intent; `maker` is the process that made it."""

    tool: str
    arguments: str
    caller: str
    plan: str
    expires: float
    identity: str
    maker: str


class Seal:
    """Writes and reads tokens with one key."""

    def __init__(self, key: str | None, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.process = secrets.token_hex(_IDENTITY_BYTES)
        """Stands for this process in the tokens that it makes."""
        self._cipher = AESGCM(keys.derive(key, "approval/v1") if key else os.urandom(32))

    def close(self, use: Use, tool: str, arguments: str, caller: str, plan: str) -> str:
        """A token for one intent, good for ten minutes."""
        expires = self.clock() + GOOD_FOR_SECONDS
        body = Sealed(tool, arguments, caller, plan, expires, secrets.token_hex(_IDENTITY_BYTES), self.process)
        nonce = os.urandom(_NONCE_BYTES)
        # The use is authenticated with it: what stands for a question to a person is not a token that a call may send.
        closed = nonce + self._cipher.encrypt(nonce, json.dumps(asdict(body)).encode(), use.encode())
        return base64.urlsafe_b64encode(closed).decode().rstrip("=")

    def open(self, use: Use, token: str) -> Sealed | None:
        """What a token holds; None when this key did not make it for this use."""
        try:
            closed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            plain = self._cipher.decrypt(closed[:_NONCE_BYTES], closed[_NONCE_BYTES:], use.encode())
        except (binascii.Error, ValueError, InvalidTag):
            return None
        body: dict[str, Any] = json.loads(plain)
        return Sealed(**body)
