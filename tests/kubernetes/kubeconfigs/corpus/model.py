"""One kubeconfig with who must come to which server, or why it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass(frozen=True)
class Case:
    """Files to write, the environment, and what must come of it."""

    name: str
    files: Mapping[str, Json]
    """By path; a mapping is written as YAML, a text as it is, and one that ends in .sh can be run."""
    reaches: Mapping[str, Json] | None = None
    """What the server saw, beyond the usual."""
    refused: str = ""
    """A pattern of the message."""
    kubeconfig: str = "config"
    """Paths with `:` between them, relative to the case's directory."""
    env: Mapping[str, str] = field(default_factory=dict)
    departs: str = ""
    """Why kubectl does something else, and this server refuses."""


USUAL: dict[str, Json] = {
    "server": "tls",
    "path": "/version",
    "sni": None,
    "client": None,
    "authorization": None,
    "acting": [],
    "through": [],
}
CA = {"certificate-authority": "ca.crt"}
TOKEN = {"token": "t1"}
BEARER = {"authorization": "Bearer t1"}
PLUGIN_API = "client.authentication.k8s.io/v1"


def doc(
    user: Json = TOKEN, cluster: Json = None, *, server: str = "<tls>", current: Json = "x", **changes: Json
) -> dict[str, Json]:
    """A kubeconfig of one context."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **(CA if cluster is None else cluster)}}],
        "users": [{"name": "u", "user": user}],
    }
    return {key: value for key, value in {**content, **changes}.items() if value is not ...}


def plugin(**changes: Json) -> dict[str, Json]:
    """A user with an exec plugin."""
    given = {"apiVersion": PLUGIN_API, "command": "./plugin.sh", "interactiveMode": "Never", **changes}
    return {"exec": {key: value for key, value in given.items() if value is not ...}}


def prints(status: str, version: str = PLUGIN_API) -> str:
    """A plugin that hands out a status."""
    return "#!/bin/sh\ncat <<'END'\n" + f'{{"apiVersion":"{version}","kind":"ExecCredential","status":{status}}}\nEND\n'


def one(name: str, content: Json, **outcome: Json) -> Case:
    """A case of one file and what it needs beside it."""
    files = outcome.pop("files", {})
    return Case(name, {"config": content, **files}, **outcome)


ISSUED = {"plugin.sh": prints('{"token":"issued"}')}
BY_PLUGIN = {"authorization": "Bearer issued"}
