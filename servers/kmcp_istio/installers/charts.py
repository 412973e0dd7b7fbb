"""Installation by Istio's Helm charts."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kmcp_istio.client import Mesh
from kmcp_istio.installers.manifests import Drafted
from kmcp_istio.installers.order import Done, Installer, Order
from kmcp_runtime import bad_argument
from kmcp_runtime.helm import ownership
from kmcp_runtime.helm.client import Upgrade
from kmcp_runtime.helm.values import with_set
from kmcp_runtime.judging import Verdict, writes
from kmcp_runtime.kube import manifests

_AMBIENT = ("ambient", "openshift-ambient")
_REHEARSAL_SECONDS = 60
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("f", "F", "false", "FALSE", "False"), False),
    "null": None,
}
_PROXY_METADATA = "meshConfig.defaultConfig.proxyMetadata."
_TEXTS = ("tag", "values.global.tag", "compatibilityVersion", "values.compatibilityVersion")
"""Settings whose value is a text, whatever it looks like: a tag 1.30 is not 1.3."""
_OF_ALL = {"hub": "global.hub", "tag": "global.tag"}
_PROFILES: Mapping[str, Mapping[str, str]] = {
    "openshift": {"platform": "openshift"},
    "openshift-ambient": {"profile": "ambient", "platform": "openshift"},
}
"""Profiles that the charts have under another name; they do not have `default`, `minimal` and `empty`."""


class ByCharts(Installer):
    title = "helm"

    def __init__(self, mesh: Mesh) -> None:
        super().__init__(mesh)
        self._rendered: dict[str, str] = {}
        """The manifest of each release, once it was rendered."""

    async def render(self, order: Order) -> Drafted:
        for name, chart in self._charts(order).items():
            async with self.mesh.helm.fetch_chart(self.mesh.call, self._reference(chart)) as fetched:
                text = await self.mesh.helm.template(
                    self.mesh.call,
                    fetched,
                    name=name,
                    namespace=self.mesh.settings.istio_namespace,
                    values=_values(order, self.mesh.settings.istio_namespace),
                    crds=True,
                )
                self._rendered[name] = text
        documents = [
            one for text in self._rendered.values() for one in manifests.parse(text, "the manifest of a chart")
        ]
        return Drafted(documents, self._limits(order))

    async def install(self, order: Order, verify: bool, seconds: int) -> Done:
        messages = []
        for name, chart in self._charts(order).items():
            await self.mesh.call.step(f"chart {chart}")
            release = await self.mesh.helm.upgrade(self.mesh, self._upgrade(order, name, chart, seconds))
            messages.append(
                f"release {name} of chart {chart} {release.chart_version} is at revision {release.revision}"
            )
        return Done(messages, None)

    async def judge(self, order: Order) -> Verdict:
        # The rehearsals are judged by the door; a release that is not there yet loses nothing, and cannot be rehearsed
        # before the charts that it depends on are installed. Whether it may take its objects is known.
        releases, namespace = self.mesh.helm.releases(self.mesh), self.mesh.settings.istio_namespace
        for name, chart in self._charts(order).items():
            if await releases.find_deployed(namespace, name) is None:
                await ownership.check(self.mesh, namespace, name, self._rendered.get(name, ""))
            else:
                wanted = replace(self._upgrade(order, name, chart, _REHEARSAL_SECONDS), dry_run=True)
                await self.mesh.helm.upgrade(self.mesh, wanted)
        return writes("installs Istio")

    def _upgrade(self, order: Order, name: str, chart: str, seconds: int) -> Upgrade:
        return Upgrade(
            name=name,
            namespace=self.mesh.settings.istio_namespace,
            chart=self._reference(chart),
            install=True,
            values=_values(order, self.mesh.settings.istio_namespace),
            create_namespace=True,
            # Each chart needs what the one before has installed: the CRDs, then istiod's webhook.
            wait=True,
            timeout_seconds=seconds,
        )

    async def read_warnings(self, order: Order) -> list[str]:
        return self._limits(order)

    def _reference(self, chart: str) -> str:
        return f"{self.mesh.settings.istio_charts}/{chart}"

    def _charts(self, order: Order) -> dict[str, str]:
        """Charts by the name of their release, in the order in which they depend on each other."""
        if order.profile == "empty":
            return {}
        # Each revision is a release of its own, beside those that run.
        control = f"istiod-{order.revision}" if order.revision and order.revision != "default" else "istiod"
        nodes = {"istio-cni": "cni", "ztunnel": "ztunnel"} if order.profile in _AMBIENT else {}
        return {"istio-base": "base", control: "istiod", **nodes}

    def _limits(self, order: Order) -> list[str]:
        warnings = [f"istioctl is not on this server: using Istio's Helm charts from {self.mesh.settings.istio_charts}"]
        if order.profile in ("default", "demo", "openshift", "preview"):
            warnings.append("the charts include no gateway: install one with the chart gateway, or as a Gateway object")
        return warnings


def _values(order: Order, namespace: str) -> dict[str, Any]:
    """istioctl's settings as values of the charts; a setting of istioctl's operator alone is refused."""
    named = order.profile not in ("default", "minimal", "empty", *_PROFILES)
    found: dict[str, Any] = {**_PROFILES.get(order.profile, {}), **({"profile": order.profile} if named else {})}
    if order.revision:
        found["revision"] = order.revision
    placed = {"global.istioNamespace": namespace}
    return with_set(found, {**placed, **{_path(key): _typed(key, value) for key, value in order.settings.items()}})


def _path(setting: str) -> str:
    head, _, rest = setting.partition(".")
    # values.x of the operator is x of a chart.
    if head == "values" and rest:
        return rest
    if head == "meshConfig" and rest:
        return setting
    if setting in _OF_ALL:
        return _OF_ALL[setting]
    raise bad_argument(
        f"set: {setting} is not a value of Istio's Helm charts",
        "use values.…, meshConfig.…, hub or tag; or install istioctl",
    )


def _typed(setting: str, value: str) -> Any:
    """A value with the type that istioctl's --set gives it (operator/pkg/values); `null` is Helm's, and removes one."""
    if setting.startswith(_TEXTS) or setting.removeprefix("values.").startswith(_PROXY_METADATA):
        return value
    if value in _WORDS:
        return _WORDS[value]
    if _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if _NUMBER.fullmatch(value) else value.replace("\\,", ",")
