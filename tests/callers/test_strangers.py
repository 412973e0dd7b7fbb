"""Ten thousand tokens that are none of ours, over real HTTP: nobody gets in, and who may call still can."""

import asyncio
import base64
import hmac
import json
import logging
import random
import time
from collections.abc import Callable, Iterable
from http.client import HTTPConnection
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from kmcp_runtime.engine import auth
from kmcp_runtime.engine.assembly import http_app
from tests.runtime.conftest import shelved
from tests.runtime.test_auth import AUDIENCE, HEADERS, ISSUER, LIST, issuing, jwt_settings, signed
from tests.serving import served

COUNT, AT_ONCE = 10_000, 8
ALGORITHM = "Ed25519"  # its signatures are made fast
KEYS, OTHERS = OKPKey.generate_key("Ed25519"), OKPKey.generate_key("Ed25519")


def good(**claims: Any) -> dict[str, Any]:
    """Claims that are let in, but for what is given."""
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": int(time.time()) + 3600} | claims
    return {name: value for name, value in said.items() if value is not None}


def ours(**claims: Any) -> str:
    return signed(KEYS, ALGORITHM, good(**claims))


def changed(token: str, draw: random.Random) -> str:
    """The token with one character of it replaced."""
    # Not the last: it has bits that no signature has, so another one may be the same signature.
    at = draw.randrange(len(token) - 1)
    other = draw.choice([each for each in "AQgwZ019-_" if each != token[at]])
    return token[:at] + other + token[at + 1 :]


def unsigned(claims: dict[str, Any]) -> str:
    """A token whose algorithm is `none`."""
    return f"{_text(json.dumps({'alg': 'none', 'kid': 'k1'}).encode())}.{_text(json.dumps(claims).encode())}."


def by_the_public_key(claims: dict[str, Any]) -> str:
    """Signed with what everybody knows, as if it were a shared secret."""
    said = f"{_text(json.dumps({'alg': 'HS256', 'kid': 'k1'}).encode())}.{_text(json.dumps(claims).encode())}"
    return f"{said}.{_text(hmac.digest(KEYS.as_pem(private=False), said.encode(), 'sha256'))}"


def _text(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def around(text: str, draw: random.Random) -> Any:
    """Something that is nearly the text."""
    near = [f"{text}/", f" {text}", text.upper(), text[:-1], f"{text}\n", [], [f"{text}x"], {text: 1}, "*", 7]
    return draw.choice(near)


KINDS: dict[str, Callable[[random.Random], str | None]] = {
    "changed": lambda draw: changed(ours(jti=str(draw.random())), draw),
    "another's": lambda draw: signed(OTHERS, ALGORITHM, good(jti=str(draw.random()))),
    "another key": lambda draw: jwt.encode(
        {"alg": ALGORITHM, "kid": f"k{draw.randrange(2, 99)}"}, good(), OTHERS, algorithms=[ALGORITHM]
    ),
    "unsigned": lambda draw: unsigned(good(jti=str(draw.random()))),
    "by the public key": lambda draw: by_the_public_key(good(jti=str(draw.random()))),
    "expired": lambda draw: ours(exp=int(time.time()) - draw.randrange(1, 10**9)),
    "endless": lambda draw: ours(exp=draw.choice([None, "tomorrow", True, -1, 0]), jti=str(draw.random())),
    "too early": lambda draw: ours(nbf=int(time.time()) + draw.randrange(3600, 10**9)),
    "for others": lambda draw: ours(aud=around(AUDIENCE, draw), jti=str(draw.random())),
    "of others": lambda draw: ours(iss=around(ISSUER, draw), jti=str(draw.random())),
    "no token": lambda draw: draw.choice(
        ["-", "a.b.c", "..", "null", str(draw.random()), "A" * draw.randrange(1, 4000)]
    ),
    "none": lambda draw: None,
}


def knock(url: str, tokens: Iterable[tuple[str, str | None]]) -> set[tuple[str, int]]:
    """Kind and status of the answers, over one connection of the thinnest client there is."""
    connection, found = HTTPConnection(url.removeprefix("http://")), set[tuple[str, int]]()
    for kind, token in tokens:
        given = {"Authorization": f"Bearer {token}"} if token is not None else {}
        connection.request("POST", "/mcp", json.dumps(LIST), {**HEADERS, "Content-Type": "application/json", **given})
        answer = connection.getresponse()
        answer.read()
        found.add((kind, answer.status))
    connection.close()
    return found


async def test_ten_thousand_strangers_stay_out(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "kmcp", "fastmcp"):  # A line for each of them takes longer than its refusal.
        caplog.set_level(logging.ERROR, name or None)
    draw = random.Random(20261130)
    tokens = [(kind, KINDS[kind](draw)) for kind in KINDS for _ in range(-(-COUNT // len(KINDS)))]
    draw.shuffle(tokens)
    async with issuing(KEYS) as jwks:
        instance = shelved(None, **jwt_settings(jwks), audit=False)
        app = http_app("shelf", [instance], auth.provider(instance.runtime))
        async with instance.opened(), served(app) as url:
            parts = (tokens[start::AT_ONCE] for start in range(AT_ONCE))
            met = await asyncio.gather(*(asyncio.to_thread(knock, url, part) for part in parts))
            assert set[tuple[str, int]]().union(*met) == {(kind, 401) for kind in KINDS}
            assert await asyncio.to_thread(knock, url, [("ours", ours())]) == {("ours", 200)}
    counted = instance.metrics.exposition().decode().splitlines()
    refused = sum(float(line.split()[-1]) for line in counted if line.startswith("kmcp_requests_refused_total{"))
    assert refused == len(tokens) >= COUNT
