"""The clusters of a configuration: the contexts that a server may use, connected at first use for each identity."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from kmcp_runtime.call import Call
from kmcp_runtime.errors import ToolFailure, not_found
from kmcp_runtime.kube import acting, config, credentials, kubeconfig_files
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.clients import Clients
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.kube.config import ContextInfo, Contexts
from kmcp_runtime.kube.settings import ClusterSettings
from kmcp_runtime.settings import listed
from kmcp_runtime.stamps import stamp_of


class Clusters:
    """The contexts of the kubeconfig, read again when a file of it changes.

    Each identity has connections and caches of its own; nothing that one has read reaches another.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        self._contexts: Contexts | None = None
        self._stamp: object = None
        self.clients = Clients(settings.act_as_clients)

    def cluster(self, call: Call, context: str | None = None) -> Cluster:
        """The cluster of the call's argument `context`, or of the context that is named."""
        contexts = self.contexts()
        chosen = contexts.named(context or call.arguments.get("context"))
        return Cluster(self._connect(contexts, chosen, call), call)

    def contexts(self) -> Contexts:
        stamp = [(path, stamp_of(Path(path))) for path in kubeconfig_files.paths(self.settings.kubeconfig)]
        if self._contexts is None or stamp != self._stamp:
            self._contexts, self._stamp = allowed(self.settings), stamp
            self.clients.retire_all()
        return self._contexts

    async def ready(self) -> None:
        """Check that the default cluster answers as a Kubernetes API server does."""
        call = Call("ready", "readyz", "readyz", {}, 5.0)
        cluster = self.cluster(call)
        try:
            # Every identity may read /version (ClusterRole system:public-info-viewer).
            version = await cluster.api.get("/version")
        finally:
            call.ended()
        if not isinstance(version, dict) or "gitVersion" not in version:
            raise not_found(f"{cluster.context.server} is not a Kubernetes API server")

    async def close(self) -> None:
        await self.clients.close()

    def _connect(self, contexts: Contexts, context: ContextInfo, call: Call) -> KubeApi:
        identity = call.identity
        if identity is not None:
            acting.check_cluster(identity, context)
        limits = Limits(request=self.settings.kube_timeout)

        def make() -> KubeApi:
            source = acting.source(identity) if identity is not None else credentials.load
            return KubeApi(contexts, context, limits, source, identity)

        return self.clients.use((context.name, identity.key if identity else ""), make, call)


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
