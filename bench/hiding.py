"""`python -m bench.hiding`: what it costs to hide secrets, in CPU time of 1 MB of text and beside two parsers."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import yaml

from kmcp_runtime import redaction
from kmcp_runtime.redaction import shapes

LENGTH = 1_000_000
RUNS = 3
# Found by a search over repeated pieces: each makes another pass as slow as it can be.
WORST = ("password: x", "a://b:c@d ", "a-token-b-token-c-token ", "token" * 12 + "=", "<password>x</password>")


def main() -> int:
    ordinary = _manifests()
    objects = list(yaml.load_all(ordinary, yaml.CSafeLoader))
    examples = [f"{shape.hides}\n" for shape in (*shapes.table("whole"), *shapes.table("part"))]
    redaction.text("token=warm")
    rows = {
        "ordinary YAML": _milliseconds(redaction.text, ordinary),
        "the same as objects": _milliseconds(redaction.value, objects),
        "  json.dumps of it": _milliseconds(json.dumps, objects),
        "  YAML parsed by libyaml": _milliseconds(lambda text: list(yaml.load_all(text, yaml.CSafeLoader)), ordinary),
    }
    worst = {unit: _milliseconds(redaction.text, unit * (LENGTH // len(unit)), 1) for unit in (*WORST, *examples)}
    unit = max(worst, key=lambda each: worst[each])
    rows[f"worst text ({unit.strip()[:40]!r} repeated)"] = worst[unit]
    for name, milliseconds in rows.items():
        print(f"{name:70} {milliseconds:8.1f} ms of CPU")
    return 0


def _milliseconds(function: Callable[[Any], Any], given: Any, runs: int = RUNS) -> float:
    taken = []
    for _ in range(runs):
        start = time.process_time()
        function(given)
        taken.append(time.process_time() - start)
    return min(taken) * 1000


def _manifests() -> str:
    """Deployments as clusters hold them, with references to Secrets and none of their values."""
    found: list[str] = []
    length = 0
    while length < LENGTH:
        found.append(yaml.safe_dump(_deployment(len(found)), sort_keys=False))
        length += len(found[-1])
    return "---\n".join(found)


def _deployment(number: int) -> dict[str, Any]:
    password = {"secretKeyRef": {"name": "db", "key": "password"}}
    container = {
        "name": "web",
        "image": f"registry.example.com/shop/web@sha256:{number:064x}",
        "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "DB_PASSWORD", "valueFrom": password}],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
    }
    pod = {
        "serviceAccountName": "web",
        "automountServiceAccountToken": False,
        "imagePullSecrets": [{"name": "regcred"}],
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {**pod, "containers": [container]}}
    metadata = {"name": f"web-{number}", "namespace": "shop", "annotations": {"checksum/config": f"{number:064x}"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


if __name__ == "__main__":
    sys.exit(main())
