"""Prometheus' own parser as the judge of ours: a small Go program, built in the module that pins Prometheus."""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster import binaries

_SOURCE = Path(__file__).parent / "judge" / "judge.go"
_MODULE = "github.com/prometheus/prometheus"
COMPUTED = [f"foo @ {2.0**63:f}", f"foo @ {-(2.0**63):f}"]
"""Inputs that upstream's cases compute from the bounds of 64 bits; both are out of bounds."""


def build() -> Path:
    """The judge; built once for each version of Prometheus and of the program."""
    component = binaries.BACKENDS["prometheus"]
    digest = hashlib.sha256((component.digest() + _SOURCE.read_text()).encode()).hexdigest()[:16]
    program = binaries.cache() / f"promql-judge-{digest}" / "judge"
    if not program.exists():
        go = binaries.go_program(print)
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
        partial = program.with_suffix(f".{os.getpid()}")
        command = [go, "build", "-o", str(partial), str(_SOURCE)]
        subprocess.run(command, cwd=binaries.MODULES / component.name, env=environment, check=True)
        partial.rename(program)
    return program


def cases(judge: Path) -> list[str]:
    """The inputs of upstream's parser tests, which its source in the module cache holds."""
    tests = binaries.source(binaries.BACKENDS["prometheus"], _MODULE) / "promql" / "parser" / "parse_test.go"
    done = subprocess.run([str(judge), "-cases", str(tests)], capture_output=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return [*found, *COMPUTED]


def verdicts(judge: Path, queries: Sequence[str]) -> list[dict[str, Any]]:
    """`{stable, experimental}` of each expression: valid without feature flags, and with all of them."""
    done = subprocess.run([str(judge)], input=json.dumps(queries).encode(), capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
