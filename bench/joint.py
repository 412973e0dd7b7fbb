"""`python -m bench.joint`: the CPU time that authentication, policy, audit and spans together add to a call.

Two servers with the same tool over HTTP: one has none of the four, the other a JSON Web Token to verify, a policy of
200 rules, a file of the audit, and a collector for its spans. Both are called in turn, so that a machine that slows
down slows both. `--parts` measures each of the four by itself, too.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import RSAKey

from bench.goal import Goal
from bench.policy import realistic
from bench.programs import SHELF, Program, running
from bench.session import Session
from bench.spans import collecting
from tests.runtime.test_auth import AUDIENCE, ISSUER, issuing, jwt_settings, signed

MOST_MILLISECONDS = 1.0
CALLS = 200
_NO_AUDIT = {"KMCP_AUDIT": "false"}


@dataclass
class Measured:
    """A server, and the CPU milliseconds of a call in each round."""

    program: Program
    session: Session
    taken: list[float]

    async def turn(self) -> None:
        before = self.program.cpu_seconds()
        for _ in range(CALLS):
            await self.session.call("shelf_list", {"limit": 5})
        self.taken.append((self.program.cpu_seconds() - before) / CALLS * 1000)


async def measure(rounds: int, parts: bool = False) -> dict[str, float]:
    """CPU milliseconds that a call costs beyond one of the server that has none of the four, by what it has instead."""
    async with AsyncExitStack() as stack:
        settings = await stack.enter_async_context(_settings())
        token = settings.pop("token")["token"]
        wanted = {"nothing": _NO_AUDIT}
        if parts:
            wanted |= {name: (_NO_AUDIT if name != "audit" else {}) | found for name, found in settings.items()}
        wanted["all four"] = {name: value for found in settings.values() for name, value in found.items()}
        servers: dict[str, Measured] = {}
        for name, environment in wanted.items():
            program = stack.enter_context(running(SHELF, environment))
            session = await Session(program.url, token if "KMCP_JWT_ISSUER" in environment else "").open()
            stack.push_async_callback(session.close)
            servers[name] = Measured(program, session, [])
        for _ in range(rounds + 1):
            for server in servers.values():
                await server.turn()
    # The first round loads what is loaded once.
    none = servers.pop("nothing").taken[1:]
    print(f"a call with none of them costs {statistics.median(none):.2f} ms of CPU")
    return {name: statistics.median(_differences(server.taken[1:], none)) for name, server in servers.items()}


def goal(measured: Mapping[str, float]) -> Goal:
    what = "CPU milliseconds a call: authentication, policy, audit and spans"
    return Goal(what, measured["all four"], MOST_MILLISECONDS)


def _differences(with_it: Sequence[float], without: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(with_it, without, strict=True)]


@asynccontextmanager
async def _settings() -> AsyncIterator[dict[str, dict[str, str]]]:
    """Environment variables of each of the four, and a token that is good for all of them."""
    keys = RSAKey.generate_key(2048)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "sam", "exp": int(time.time()) + 3600, "groups": ["team-7"]}
    with tempfile.TemporaryDirectory() as folder, collecting() as collector:
        policy = Path(folder) / "policy.cedar"
        policy.write_text(realistic())
        async with issuing(keys) as jwks:
            yield {
                "token": {"token": signed(keys, "RS256", claims)},
                "authentication": {f"KMCP_{name.upper()}": value for name, value in jwt_settings(jwks).items()},
                "policy": {"KMCP_POLICY": str(policy)},
                "audit": {"KMCP_AUDIT_FILE": str(Path(folder) / "audit.log"), "KMCP_AUDIT_SINKS": "file"},
                "spans": {"OTEL_EXPORTER_OTLP_ENDPOINT": collector},
            }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.joint", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help=f"of {CALLS} calls each (default %(default)s)")
    parser.add_argument("--parts", action="store_true", help="each of the four by itself, too")
    options = parser.parse_args()
    measured = asyncio.run(measure(options.rounds, options.parts))
    for name, milliseconds in measured.items():
        print(f"{name:16} adds {milliseconds:6.3f} ms")
    found = goal(measured)
    print(found.line())
    return int(not found.met)


if __name__ == "__main__":
    sys.exit(main())
