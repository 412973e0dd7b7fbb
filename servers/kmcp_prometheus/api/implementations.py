"""Which implementation of Prometheus' API a backend is, and what it can do."""

from typing import Any, Literal

from kmcp_prometheus.client import Prometheus, is_not_served
from kmcp_runtime import ToolFailure

Kind = Literal["prometheus", "thanos", "mimir", "victoriametrics", "unknown"]
# VictoriaMetrics reports the version of the Prometheus it is compatible with, and nothing else.
_VICTORIA = {"version"}


async def read_build_info(prometheus: Prometheus) -> dict[str, Any]:
    return (await prometheus.get("/status/buildinfo")).mapping()


def kind_of(info: dict[str, Any]) -> Kind:
    """Recognised by `/status/buildinfo`: Mimir names itself, the versions of Thanos begin with 0."""
    application = str(info.get("application", "")).lower()
    if "mimir" in application or "cortex" in application:
        return "mimir"
    if set(info) == _VICTORIA:
        return "victoriametrics"
    # Without a revision the build is not a release; the version alone then decides.
    if not info.get("revision"):
        return "unknown" if not str(info.get("version", "")).startswith(("2.", "3.")) else "prometheus"
    return "thanos" if str(info.get("version", "")).lstrip("v").startswith("0.") else "prometheus"


async def read_features(prometheus: Prometheus, wanted: str) -> dict[str, list[str]]:
    """List what is switched on, by area; empty where the backend does not report it."""
    try:
        data = (await prometheus.get("/features")).mapping()
    except ToolFailure as failure:
        if is_not_served(failure):
            return {}
        raise
    named = {area: sorted(name for name, on in found.items() if on and wanted in name) for area, found in data.items()}
    return {area: names for area, names in named.items() if names}


async def read_state(prometheus: Prometheus) -> dict[str, Any]:
    """Find out whether a data source answers, and which implementation it is."""
    try:
        url = prometheus.address
        info = await read_build_info(prometheus)
    except ToolFailure as failure:
        if not is_not_served(failure):
            return {"ready": False, "error": failure.message}
        # No /status/buildinfo, but an answer: the data source is reachable, only its kind is unknown.
        info = {}
    return {"url": url, "ready": True, "backend": kind_of(info), "version": info.get("version") or None}
