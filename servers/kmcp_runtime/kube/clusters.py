"""The clusters of a configuration: the contexts that a server may use, each connected at first use."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from kmcp_runtime.call import Call
from kmcp_runtime.errors import ToolFailure, not_found
from kmcp_runtime.kube import config, kubeconfig_files
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.kube.config import ContextInfo, Contexts
from kmcp_runtime.kube.discovery import Discovery
from kmcp_runtime.kube.settings import ClusterSettings
from kmcp_runtime.settings import listed


class Clusters:
    """The contexts of the kubeconfig, read again when a file of it changes; each cluster is connected at first use."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        self._contexts: Contexts | None = None
        self._stamp: object = None
        self._connected: dict[str, tuple[KubeApi, Discovery]] = {}
        self._retired: list[KubeApi] = []

    def cluster(self, call: Call, context: str | None = None) -> Cluster:
        """The cluster of the call's argument `context`, or of the context that is named."""
        contexts = self.contexts()
        chosen = contexts.named(context or call.arguments.get("context"))
        api, discovery = self._connection(contexts, chosen)
        return Cluster(api, discovery, contexts, chosen, call)

    def contexts(self) -> Contexts:
        stamp = [_stamp(path) for path in kubeconfig_files.paths(self.settings.kubeconfig)]
        if self._contexts is None or stamp != self._stamp:
            self._contexts, self._stamp = allowed(self.settings), stamp
            # Not closed yet: calls in progress still use these connections.
            self._retired += [api for api, _ in self._connected.values()]
            self._connected = {}
        return self._contexts

    async def ready(self) -> None:
        """Check that the default cluster answers as a Kubernetes API server does."""
        cluster = self.cluster(Call("ready", "readyz", "readyz", {}, 5.0))
        # Every identity may read /version (ClusterRole system:public-info-viewer).
        version = await cluster.api.get("/version")
        if not isinstance(version, dict) or "gitVersion" not in version:
            raise not_found(f"{cluster.context.server} is not a Kubernetes API server")

    async def close(self) -> None:
        for api in [*self._retired, *(api for api, _ in self._connected.values())]:
            await api.close()

    def _connection(self, contexts: Contexts, context: ContextInfo) -> tuple[KubeApi, Discovery]:
        found = self._connected.get(context.name)
        if found is None:
            api = KubeApi(contexts, context, Limits(request=self.settings.kube_timeout))
            found = self._connected[context.name] = (api, Discovery(api))
        return found


def allowed(settings: ClusterSettings) -> Contexts:
    """The configured contexts, narrowed to those this server may use."""
    contexts = config.load_contexts(settings.kubeconfig)
    names = listed(settings.contexts)
    if not names:
        return contexts
    kept = tuple(contexts.named(name) for name in names)
    # The kubeconfig's current context may be one that this server must not use.
    return replace(contexts, all=kept, current=kept[0].name)


def context_argument(settings: ClusterSettings) -> Mapping[str, Any]:
    """The argument `context` with the names as its values, if there is a choice."""
    try:
        contexts = allowed(settings)
    except ToolFailure:
        return {}
    # An argument without a choice would only cost tokens.
    if len(contexts.all) < 2:
        return {}
    names = tuple(context.name for context in contexts.all)
    choice = Literal[names]  # type: ignore[valid-type]  # the names are known at run time only
    default = f"; default {contexts.current}" if contexts.current in names else ""
    return {"context": (Annotated[choice | None, f"Cluster{default}"], None)}


def _stamp(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError:
        return None
    # The size as well: an editor may write twice within the clock's resolution.
    return path, found.st_mtime_ns, found.st_size
