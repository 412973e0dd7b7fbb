"""One call of `kmcp-suite plan` and what it printed."""

from typing import Any

import yaml

HEAD = "apiVersion: kagent.dev/v1alpha1\nkind: MCPServer\n"
META = "metadata: {name: time, namespace: tools}\n"
GOOD = f"{HEAD}{META}spec: {{transportType: http, deployment: {{image: example.com/time:1}}}}\n"


class Told:
    """What one call printed; the file is named m.yaml."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out = code, out
        self.lines = err.splitlines()

    def has(self, text: str) -> bool:
        return any(text in line for line in self.lines)


def pod_of(told: Told) -> dict[str, Any]:
    assert told.code == 0, told.lines
    objects = list(yaml.safe_load_all(told.out))
    found: dict[str, Any] = next(each for each in objects if each["kind"] == "Deployment")["spec"]["template"]["spec"]
    return found
