"""Which implementation of Prometheus' API a backend is, and what it can."""

from typing import Any, Literal

from kmcp_prometheus.client import Prometheus, is_not_served
from kmcp_runtime import ToolFailure

Kind = Literal["prometheus", "thanos", "mimir", "victoriametrics", "unknown"]
# VictoriaMetrics answers the version of the Prometheus it is compatible with, and nothing else.
_VICTORIA = {"version"}


async def build_info(prometheus: Prometheus) -> dict[str, Any]:
    return (await prometheus.get("/status/buildinfo")).mapping()


def kind_of(told: dict[str, Any]) -> Kind:
    """By what `/status/buildinfo` holds: Mimir names itself, Thanos counts versions from 0."""
    application = str(told.get("application", "")).lower()
    if "mimir" in application or "cortex" in application:
        return "mimir"
    if set(told) == _VICTORIA:
        return "victoriametrics"
    if not told.get("revision"):
        return "unknown" if not str(told.get("version", "")).startswith(("2.", "3.")) else "prometheus"
    return "thanos" if str(told.get("version", "")).lstrip("v").startswith("0.") else "prometheus"


async def features(prometheus: Prometheus, wanted: str) -> dict[str, list[str]]:
    """What is switched on, by area; empty where the backend does not tell."""
    try:
        data = (await prometheus.get("/features")).mapping()
    except ToolFailure as failure:
        if is_not_served(failure):
            return {}
        raise
    named = {area: sorted(name for name, on in found.items() if on and wanted in name) for area, found in data.items()}
    return {area: names for area, names in named.items() if names}


async def state(prometheus: Prometheus) -> dict[str, Any]:
    """Whether a data source answers, and what it is."""
    try:
        url = prometheus.address
        told = await build_info(prometheus)
    except ToolFailure as failure:
        if not is_not_served(failure):
            return {"ready": False, "error": failure.message}
        told = {}
    return {"url": url, "ready": True, "backend": kind_of(told), "version": told.get("version") or None}
