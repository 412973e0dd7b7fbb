"""`python -m bench.flood`: the 99th percentile of a permitted call's time beside strangers, against quiet.

10,000 tokens that are forged, expired, for or of others, or none, are sent to a server that verifies JSON Web Tokens,
and 1,000 replays of one token to a server that has the API server review it. They come from a process of their own,
one after the other, in turn with times of quiet, so that a machine that slows down slows both.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Route

from bench.goal import Goal
from bench.programs import SHELF, Program, running
from bench.session import Session
from tests.callers.test_strangers import KEYS, KINDS, ours
from tests.kubernetes.making import kubeconfig
from tests.runtime.test_auth import HEADERS, issuing, jwt_settings
from tests.runtime.test_token_review import StandIn, token
from tests.serving import served

STRANGERS, ROUNDS, CALLS = 10_000, 5, 400
MOST_RATIO = 2.0
_PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
# Started before, and told when: what its start takes of the machine is nothing that strangers do.
_ATTACK = """
import http.client, json, sys
host, _, path = sys.argv[1].removeprefix("http://").partition("/")
connection = http.client.HTTPConnection(host)
for line in sys.stdin:
    plan = json.loads(line)
    for token in plan["tokens"]:
        headers = plan["headers"] | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request("POST", f"/{path}", json.dumps(plan["body"]), headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == plan["status"], answer.status
    print("done", flush=True)
"""


async def measure(count: int) -> dict[str, float]:
    """Of each flood the ratio of the 99th percentiles: beside it, and in quiet. There are `count` strangers."""
    draw = random.Random(20261130)  # noqa: S311 - no secret, and the same in each run
    strangers = [KINDS[kind](draw) for kind in KINDS for _ in range(-(-count // len(KINDS)))]
    draw.shuffle(strangers)
    replays = [token()] * max(count // 10, ROUNDS)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        jwks = await stack.enter_async_context(issuing(KEYS))
        by_keys = {f"KMCP_{name.upper()}": value for name, value in jwt_settings(jwks).items()}
        reviews = [Route("/apis/authentication.k8s.io/v1/tokenreviews", StandIn().answer, methods=["POST"])]
        cluster = kubeconfig(await stack.enter_async_context(served(Starlette(routes=reviews))), folder)
        by_review = {"KMCP_TOKEN_REVIEW": "true", "KUBECONFIG": str(cluster)}
        found = {}
        for name, environment, mine, sent, status in (
            (f"{len(strangers):,} strangers", by_keys, ours(), strangers, 401),
            (f"{len(replays):,} replays of a reviewed token", by_review, token(), replays, 200),
        ):
            with running([*SHELF, "--no-audit"], environment) as program:
                found[name] = await _ratio(program, mine, sent, status)
    return found


async def _ratio(program: Program, mine: str, sent: Sequence[str | None], status: int) -> float:
    session = await Session(program.url, mine).open()
    await _calls(session, CALLS)  # The first ones load what is loaded once.
    quiet, beside, batch = list[float](), list[float](), -(-len(sent) // ROUNDS)
    command = (sys.executable, "-c", _ATTACK, program.url)
    attack = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert attack.stdin is not None
    assert attack.stdout is not None
    headers = {**HEADERS, "Content-Type": "application/json"}
    for number in range(ROUNDS):
        quiet += await _calls(session, CALLS)
        plan = {"tokens": sent[number * batch : (number + 1) * batch], "headers": headers, "status": status}
        attack.stdin.write(json.dumps({**plan, "body": _PING}).encode() + b"\n")
        done = asyncio.create_task(attack.stdout.readline())
        while not done.done():
            beside += await _calls(session, 5)
        if await done != b"done\n":
            raise RuntimeError("a stranger got an answer that he should not get")
    attack.stdin.close()
    await attack.wait()
    await session.close()
    for name, taken in {"beside them": beside, "in quiet": quiet}.items():
        print(f"{len(taken)} calls {name}: median {statistics.median(taken):.1f} ms, p99 {_p99(taken):.1f} ms")
    return _p99(beside) / _p99(quiet)


async def _calls(session: Session, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        await session.call("shelf_list", {"limit": 5})
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _p99(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description=__doc__)
    parser.add_argument("--strangers", type=int, default=STRANGERS, help="and a tenth of replays (default %(default)s)")
    goals = [
        Goal(f"p99 of a permitted call beside {name} / in quiet", ratio, MOST_RATIO)
        for name, ratio in asyncio.run(measure(parser.parse_args().strangers)).items()
    ]
    print(*(goal.line() for goal in goals), sep="\n")
    return int(not all(goal.met for goal in goals))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
