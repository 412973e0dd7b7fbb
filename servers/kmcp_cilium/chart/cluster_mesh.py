"""Cluster mesh as values of the chart: which clusters are connected, and how one is added or removed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_cilium.agents.command_versions import minor
from kmcp_cilium.chart import releases
from kmcp_cilium.client import Cilium
from kmcp_runtime import bad_argument, conflict, unavailable
from kmcp_runtime.helm.release import Release
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.cluster import Place

APISERVER = "clustermesh-apiserver"
SECRET = "cilium-clustermesh"  # noqa: S105  # the name of an object
_CLUSTERS = "clustermesh.config.clusters"
_AUTHORITY = "cilium-ca"
_CERTIFICATE = "clustermesh-apiserver-remote-cert"
_PORT = 2379
_FIRST_WITH_MAP = (1, 19)
"""The chart whose schema takes a map of clusters, too; that of older ones takes a list alone."""
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """One cluster of a mesh, as its release describes it."""

    cilium: Cilium
    release: Release

    @property
    def name(self) -> str:
        return str(releases.value_at(self.release.values(), "cluster.name") or "default")

    @property
    def id(self) -> int:
        return int(releases.value_at(self.release.values(), "cluster.id") or 0)

    @property
    def clusters(self) -> Any:
        """The connected clusters, a map by name or a list, as in the values."""
        return releases.value_at(self.release.config, _CLUSTERS) or {}

    @property
    def keeps_list(self) -> bool:
        """Whether the clusters are written as a list: where they are one, and where the chart takes nothing else."""
        version = minor(self.release.chart_version)
        return isinstance(self.clusters, list) or (version is not None and version < _FIRST_WITH_MAP)

    def connected(self) -> list[str]:
        return names(self.clusters)


async def read_side(cilium: Cilium) -> Side:
    return Side(cilium, await releases.read_release(cilium))


def names(clusters: Any) -> list[str]:
    """The names of connected clusters, of a map or a list."""
    if isinstance(clusters, Mapping):
        return sorted(clusters)
    return sorted(str(each.get("name")) for each in clusters or ())


def added(side: Side, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Values with one more cluster, in the form that the release has or its chart takes."""
    if side.keeps_list:
        # Helm replaces a list as a whole.
        clusters: Any = [*_others(side, name), {"name": name, **entry}]
    else:
        clusters = {name: dict(entry)}
    return {"clustermesh": {"config": {"enabled": True, "clusters": clusters}}}


def removed(side: Side, name: str) -> dict[str, Any]:
    """Values without a cluster."""
    # Helm removes a key of a map by null.
    clusters: Any = _others(side, name) if side.keeps_list else {name: None}
    return {"clustermesh": {"config": {"clusters": clusters}}}


def _others(side: Side, name: str) -> list[dict[str, Any]]:
    known = side.clusters
    if isinstance(known, Mapping):
        known = [{"name": key, **(entry or {})} for key, entry in known.items()]
    return [dict(each) for each in known if each.get("name") != name]


def check(here: Side, there: Side, name: str) -> None:
    """Refuse clusters that cannot form a mesh, with every reason."""
    if there.name != name:
        raise bad_argument(
            f"cluster_name: the cluster of that context is named {there.name!r}", f"cluster_name={there.name}"
        )
    reasons = []
    if here.name == there.name:
        reasons.append(f"both clusters are called {here.name!r}: cluster.name must differ")
    # Identities of other clusters carry the ID in their upper bits; 0 is for a cluster alone.
    if here.id == there.id or 0 in (here.id, there.id):
        reasons.append(f"cluster.id is {here.id} here and {there.id} there: they must differ and not be 0")
    # It decides how many bits an identity has for the cluster, so all must agree.
    most = [releases.value_at(each.release.values(), "clustermesh.maxConnectedClusters") for each in (here, there)]
    if most[0] != most[1]:
        reasons.append(f"clustermesh.maxConnectedClusters is {most[0]} here and {most[1]} there: they must be the same")
    for each in (here, there):
        if not releases.value_at(each.release.values(), "clustermesh.useAPIServer"):
            reasons.append(f"cluster mesh is off in {each.name}: cilium_toggle_cluster_mesh switches it on")
    if reasons:
        raise conflict("; ".join(reasons), "names and IDs are set at installation: cilium_install_cilium")


async def describe_access(there: Side, endpoints: list[str] | None, same_authority: bool) -> dict[str, Any]:
    """The entry for a cluster: the addresses of its mesh API server, and certificates where they are needed."""
    addresses = endpoints or await _list_addresses(there)
    pairs = [address.partition("/")[0].rsplit(":", 1) for address in addresses]
    hosts, ports = zip(*pairs, strict=True)
    if len(set(ports)) > 1:
        raise bad_argument(f"endpoints: all must have the same port, not {', '.join(sorted(set(ports)))}")
    found: dict[str, Any] = {"ips": [host.strip("[]") for host in hosts], "port": int(ports[0])}
    # Under one authority the agents' own certificate is good in both clusters.
    if not same_authority:
        data = await _read_secret(there.cilium, _CERTIFICATE) or {}
        if not data:
            raise unavailable(
                f"the clusters have different certificate authorities, and {there.name} has no Secret {_CERTIFICATE}",
                f"copy Secret {_AUTHORITY} from one cluster to the other before you switch cluster mesh on",
            )
        found["tls"] = {"caCert": data.get("ca.crt"), "cert": data.get("tls.crt"), "key": data.get("tls.key")}
    return found


async def compare_authorities(here: Cilium, there: Cilium) -> bool:
    """Whether both clusters trust the same certificate authority."""
    own, other = await _read_secret(here, _AUTHORITY), await _read_secret(there, _AUTHORITY)
    return bool(own and other) and (own or {}).get("ca.crt") == (other or {}).get("ca.crt")


async def list_configured(cilium: Cilium) -> list[str]:
    """The clusters that the agents have connection settings for."""
    data = await _read_secret(cilium, SECRET) or {}
    # Keys with a dot are certificates; a key without one is a cluster.
    return sorted(key for key in data if "." not in key)


async def read_service(cilium: Cilium) -> Object | None:
    """The Service of the mesh's API server; None where mesh is off."""
    return await _read_object(cilium, "services", APISERVER)


async def _list_addresses(there: Side) -> list[str]:
    found = await read_service(there.cilium)
    if found is None:
        raise unavailable(
            f"{there.name} has no Service {APISERVER}", "cilium_toggle_cluster_mesh switches cluster mesh on"
        )
    spec = found.get("spec") or {}
    port: Object = next(iter(spec.get("ports") or ()), {})
    ingress = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if spec.get("type") == "LoadBalancer" and ingress:
        return [f"{each['ip']}:{port.get('port', _PORT)}" for each in ingress if each.get("ip")] or _ask(there)
    if spec.get("type") == "NodePort":
        nodes = await there.cilium.list_objects("nodes", None)
        own = [_internal(node) for node in nodes]
        # A few nodes are enough to find the others.
        return [f"{address}:{port['nodePort']}" for address in own if address][:3] or _ask(there)
    return _ask(there)


def _ask(there: Side) -> list[str]:
    raise unavailable(
        f"the Service {APISERVER} of {there.name} has no address that another cluster can reach",
        'give endpoints=["ip:port"], or wait until its load balancer has an address',
    )


def _internal(node: Object) -> str | None:
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((each["address"] for each in addresses if each.get("type") == "InternalIP"), None)


async def _read_secret(cilium: Cilium, name: str) -> Object | None:
    found = await _read_object(cilium, "secrets", name)
    return None if found is None else found.get("data") or {}


async def _read_object(cilium: Cilium, resource: str, name: str) -> Object | None:
    place = Place(await cilium.discovery.resolve(resource), await cilium.find_namespace())
    return await objects.find(cilium.api, place.kind, name, place.namespace)
