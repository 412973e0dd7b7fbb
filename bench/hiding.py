"""`python -m bench.hiding`: what it costs to hide secrets, in CPU time of 1 MB of text and beside two parsers."""

import json
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from bench.goal import cpu_milliseconds
from kmcp_runtime import redaction
from kmcp_runtime.redaction import shapes

LENGTH = 1_000_000
RUNS = 3
# The slowest that searches over repeated pieces found, by what it is that they make slow.
WORST = (
    "password: x",
    "a://b:c@d ",
    "a-token-b-token-c-token ",
    "token" * 12 + "=",
    "<password>x</password>",
    'password="a\\"',
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----\n",
    "cGFzc3dvcmQ6IGh1bnRlcjIKdXNlcjogYm9iCg== ",
    "contraseña: ",
    "Cookie: a=b; ",
    "eyJ" + "a" * 60 + " ",
    "Cookie: lang=en; sessionid=a1B2c3D4e5F6g7H8; theme=dark ",
    "cqlsh -u cassandra -p hunter22Xa host\n",
    "web_aB3dE5aB3dE5aB3dE5aB3dE5 ",
    "NAME    TOKEN               AGE\nweb     purple-Lamp-073     3d\n\n",
    "name,password\nbob,purple-Lamp-886\n",
    "a|key|value\n",
    "INSERT INTO users (name, password) VALUES ('bob', 'hunter22');\n",
)


def main() -> int:
    objects = manifests(LENGTH)
    ordinary = text_of(objects)
    examples = [f"{shape.hides}\n" for shape in (*shapes.table("whole"), *shapes.table("part"))]
    redaction.text("token=warm")
    rows = {
        "ordinary YAML": _milliseconds(redaction.text, ordinary),
        "the same as objects": _milliseconds(redaction.value, objects),
        "  json.dumps of it": _milliseconds(json.dumps, objects),
        "  all words of it found by Python's re": _milliseconds(re.compile(r"\w+").findall, ordinary),
        "  YAML parsed by libyaml": _milliseconds(lambda text: list(yaml.load_all(text, yaml.CSafeLoader)), ordinary),
    }
    worst = {unit: _milliseconds(redaction.text, unit * (LENGTH // len(unit))) for unit in (*WORST, *examples)}
    for unit in sorted(worst, key=lambda each: -worst[each])[:5]:
        rows[f"slow text ({unit.strip()[:40]!r} repeated)"] = worst[unit]
    for name, milliseconds in rows.items():
        print(f"{name:70} {milliseconds:8.1f} ms of CPU")
    return 0


def _milliseconds(function: Callable[[Any], Any], given: Any, runs: int = RUNS) -> float:
    return cpu_milliseconds(lambda: function(given), runs)


def manifests(length: int) -> list[dict[str, Any]]:
    """Deployments as clusters hold them, with references to Secrets and none of their values; this long as YAML."""
    each = len(text_of([_deployment(0)])) + len("---\n")
    return [_deployment(number) for number in range(length // each)]


def text_of(objects: Iterable[dict[str, Any]]) -> str:
    return yaml.dump_all(objects, Dumper=yaml.CSafeDumper, sort_keys=False)


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
