"""Why a server that runs is not ready: the probe that the kubelet makes, made once more, for its words.

The kubelet tells only Events what its probe met, and a status has no place for it.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import httpx2

from kmcp_runtime import redaction
from kmcp_runtime.urls import authority

Object = Mapping[str, Any]
_SECONDS = 2.0
_LONGEST = 256


async def explain(pod: Object, container: Object) -> str:
    """What stands in the way of `container` (as rendered) in this pod; empty when nothing is found."""
    address = str(pod["status"]["podIP"])
    ports = {each["name"]: int(each["containerPort"]) for each in container.get("ports") or ()}
    if "management" in ports:
        text = await _read_health(address, ports["management"])
    else:
        text = await _dial(address, ports["http"])
    return redaction.text(f"container {container['name']} runs, but is not ready: {text}")[:_LONGEST] if text else ""


async def _read_health(address: str, port: int) -> str:
    try:
        # trust_env=False: a proxy of the environment does not reach pods.
        async with httpx2.AsyncClient(trust_env=False, timeout=_SECONDS) as http:
            answer = await http.get(f"http://{authority(address, port)}/healthz")
    except httpx2.HTTPError as error:
        return f"/healthz on port {port}: {type(error).__name__}"
    return "" if answer.status_code == 200 else " ".join(answer.text.split()) or f"/healthz: HTTP {answer.status_code}"


async def _dial(address: str, port: int) -> str:
    listens = "set spec.httpTransport.targetPort to the port at which the server listens, on all addresses"
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return f"no answer on port {port} within {_SECONDS:g} s; {listens}"
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        return f"{'connection refused' if refused else error.strerror or error} on port {port}; {listens}"
    writer.close()
    with contextlib.suppress(OSError):  # it accepted the connection, which is all that was asked
        await writer.wait_closed()
    return ""
