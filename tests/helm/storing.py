"""Release revisions written as Helm stores them, for states that no command leaves behind."""

import base64
import gzip
import json
from typing import Any

from kmcp_runtime.kube.api import KubeApi


def encoded(body: Any) -> str:
    """The text in `data.release`, before the Secret's own base64."""
    return base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()


def decoded(secret: Any) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))


def named(release: str, revision: int) -> str:
    return f"sh.helm.release.v1.{release}.v{revision}"


async def restate(api: KubeApi, namespace: str, release: str, revision: int, status: str) -> None:
    """Put a stored revision into another state, as a helm that was killed leaves it."""
    path = f"/api/v1/namespaces/{namespace}/secrets/{named(release, revision)}"
    secret = await api.get(path)
    body = decoded(secret)
    body["info"]["status"] = status
    patch = {"metadata": {"labels": {"status": status}}, "stringData": {"release": encoded(body)}}
    await api.send("PATCH", path, (), patch, "application/merge-patch+json")
