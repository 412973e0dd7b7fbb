"""What a hostile backend answers: well-formed content, then spoiled at random places. All of it follows from a seed."""

import json
from random import Random
from typing import Any

from tests.hostile import HOSTILE_LINES

CANARY = "kmcpcanary"
"""Part of every hostile text: wherever it stands, others wrote that."""
PLANTED = "Zq7-planted-in-a-fuzzed-secret-9Xw"
"""The value of every Secret."""
MOODS = ("valid", "valid", "spoiled", "spoiled", "rotten", "random", "texts", "refused", "garbled", "empty")
"""How a backend answers one call; each follows from the seed."""
_TYPES = ("kind", "apiVersion", "type", "resultType", "status")
_SLOW = ("a+" * 16_384 + "://", "token-" * 10_000, "--" * 25_000 + "password", "'" * 20_000 + "token:" + '"' * 20_000)


def mood_of(seed: int) -> str:
    """How the backend answers the calls of this seed."""
    return Random(seed).choice(MOODS)


def hostile_text(random: Random) -> str:
    """A line or two of an attacker's."""
    return f"{random.choice(HOSTILE_LINES)}\n{CANARY} {random.choice(HOSTILE_LINES)}"


def anything(random: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = random.randrange(10 if depth < 4 else 7)
    if kind >= 7:
        size = random.randrange(4)
        if kind == 9:
            return [anything(random, depth + 1) for _ in range(size)]
        names = ("name", "status", "spec", "items", "data", "metadata", CANARY, "")
        return {random.choice(names): anything(random, depth + 1) for _ in range(size)}
    values = (None, True, random.choice((0, -1, 2**63, 10**30)), random.choice((1.5, -0.0, 1e308)), "", "12", None)
    return hostile_text(random) if kind == 6 else values[kind]


def spoiled(node: Any, random: Random, share: float) -> Any:
    """The value with this share of its parts replaced by anything, or gone."""
    if random.random() < share:
        return anything(random)
    if isinstance(node, dict):
        return {key: spoiled(item, random, share) for key, item in node.items() if random.random() >= share / 2}
    if isinstance(node, list):
        return [spoiled(item, random, share) for item in node]
    return node


def with_hostile_texts(node: Any, random: Random) -> Any:
    """The value, of the right types, with hostile and sometimes slow texts in place of a third of its own."""
    if isinstance(node, dict):
        # What a type of an API is made of stays: no backend that can be reached lets others choose it.
        return {k: item if k in _TYPES else with_hostile_texts(item, random) for k, item in node.items()}
    if isinstance(node, list):
        return [with_hostile_texts(item, random) for item in node]
    if isinstance(node, str) and random.random() < 0.3:
        return random.choice(_SLOW) if random.random() < 0.02 else hostile_text(random)
    return node


def in_mood(mood: str, content: Any, random: Random) -> bytes:
    """The body of an answer whose well-formed content is this."""
    if mood == "garbled":
        whole = json.dumps(content).encode()
        return random.choice((whole[: len(whole) // 2], b"<html>" + CANARY.encode(), b"\xff\xfe\0", b"[" * 5_000))
    if mood == "empty":
        return random.choice((b"", b"{}", b"[]", b"null", b'""', b"0"))
    if mood == "random":
        content = anything(random)
    elif mood == "texts":
        content = with_hostile_texts(content, random)
    elif mood != "valid":
        content = spoiled(content, random, 0.01 if mood == "spoiled" else 0.12)
    return json.dumps(content).encode()
