"""Whether the backend behind a suite server answers: `/readyz` of a ready pod, every minute and after each rollout."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2

from kmcp_controller.cluster.store import Key
from kmcp_controller.render.objects import SPEC_HASH
from kmcp_runtime import json_text, redaction
from kmcp_runtime.urls import authority

from .rollout import ready_pod

Object = Mapping[str, Any]


class BackendReadiness:
    SECONDS = 60.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._looks: dict[Key, tuple[float, str, str]] = {}  # when, at which template, what was said

    def watched(self, key: Key) -> bool:
        return key in self._looks

    def forget(self, key: Key) -> None:
        self._looks.pop(key, None)

    def due(self, key: Key, deployment: Object) -> bool:
        at, template, text = self._looks.get(key, (float("-inf"), "", ""))
        pause = self.SECONDS / 4 if text else self.SECONDS  # a backend that is back should show soon
        return template != _template(deployment) or self._clock() - at > pause

    def backend(self, key: Key) -> str:
        """What the last look said; empty when the backend answered."""
        return self._looks.get(key, (0.0, "", ""))[2]

    async def ask(self, key: Key, deployment: Object, pods: Sequence[Object], port: int) -> str:
        annotations = deployment["spec"]["template"]["metadata"].get("annotations") or {}
        pod = ready_pod(pods, annotations.get("kmcp-suite/refs-hash", ""))
        text = await _ask(pod["status"]["podIP"], port) if pod else "no ready pod of the current template"
        self._looks[key] = (self._clock(), _template(deployment), text)
        return text


async def _ask(address: str, port: int) -> str:
    # trust_env=False: a proxy of the environment does not reach pods.
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
            answer = await http.get(f"http://{authority(address, port)}/readyz")
    except httpx2.TransportError as error:
        return f"/readyz: {type(error).__name__}"
    return "" if answer.status_code == 200 else _said(answer)


def _said(answer: httpx2.Response) -> str:
    """The body in words: `{ready, servers: {<name>: {reason, hint}}}`, else as it is."""
    try:
        body = json_text.read(answer.content)
    except ValueError:
        body = {}
    states = body.get("servers") if isinstance(body, dict) else None
    entries = list(states.values()) if isinstance(states, dict) else [body]
    reported = [each for each in entries if isinstance(each, dict)]
    words = [str(each[key]) for each in reported for key in ("reason", "hint") if each.get(key)]
    return redaction.text("; ".join(words) or answer.text or f"/readyz answered {answer.status_code}")[:1024]


def _template(deployment: Object) -> str:
    return str((deployment["metadata"].get("annotations") or {}).get(SPEC_HASH, ""))
