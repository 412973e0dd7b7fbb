"""What the agent carries out in the tests: policies, a Service, a redirect, routing with a peer that never answers."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.cluster.components import NODE

PODS = "kmcp-cilium-pods"
PORT = 8080
BGP_PEER = "192.0.2.2"
KNOWN_NAME = "shop.example.test"


def policies_and_services(addresses: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Policies, a Service and a redirect that the agent carries out: path and body of each."""
    base = f"namespaces/{PODS}"
    web, client, resolver = ({"matchLabels": {"app": name}} for name in ("web", "client", "resolver"))
    port = {"ports": [{"port": str(PORT), "protocol": "TCP"}]}
    names = {"ports": [{"port": "53", "protocol": "UDP"}], "rules": {"dns": [{"matchPattern": "*"}]}}
    only_clients = {"endpointSelector": web, "ingress": [{"fromEndpoints": [client], "toPorts": [port]}]}
    egress = [
        {"toEndpoints": [resolver], "toPorts": [names]},
        {"toEndpoints": [web], "toPorts": [port]},
        {"toFQDNs": [{"matchName": KNOWN_NAME}]},
    ]
    for name, spec in (("only-clients", only_clients), ("names", {"endpointSelector": client, "egress": egress})):
        body = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": name}, "spec": spec}
        yield f"/apis/cilium.io/v2/{base}/ciliumnetworkpolicies/{name}", body
    ports = [{"name": "http", "port": 80, "targetPort": PORT, "protocol": "TCP"}]
    yield (
        f"/api/v1/{base}/services/web",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"ports": ports},
        },
    )
    yield (
        f"/apis/discovery.k8s.io/v1/{base}/endpointslices/web-1",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": "IPv4",
            "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"addresses": [addresses["web"]], "conditions": {"ready": True}, "nodeName": NODE}],
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
        },
    )
    yield (
        f"/apis/cilium.io/v2/{base}/ciliumlocalredirectpolicies/metadata",
        {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumLocalRedirectPolicy",
            "metadata": {"name": "metadata"},
            "spec": {
                "redirectFrontend": {
                    "addressMatcher": {"ip": "169.254.169.254", "toPorts": [{"port": "80", "protocol": "TCP"}]}
                },
                "redirectBackend": {"localEndpointSelector": web, "toPorts": [{"port": str(PORT), "protocol": "TCP"}]},
            },
        },
    )


def routing() -> Iterator[tuple[str, dict[str, Any]]]:
    """BGP with a peer that never answers, whom the node would tell its pods' range: path and body of each object."""
    label = {"advertise": "pods"}
    family = {"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": label}}
    peer = {"name": "top", "peerASN": 65002, "peerAddress": BGP_PEER, "peerConfigRef": {"name": "top"}}
    instance = {"name": "main", "localASN": 65001, "peers": [peer]}
    for kind, plural, metadata, spec in (
        (
            "Advertisement",
            "advertisements",
            {"name": "pods", "labels": label},
            {"advertisements": [{"advertisementType": "PodCIDR"}]},
        ),
        ("PeerConfig", "peerconfigs", {"name": "top"}, {"families": [family]}),
        ("NodeConfig", "nodeconfigs", {"name": NODE}, {"bgpInstances": [instance]}),
    ):
        body = {"apiVersion": "cilium.io/v2", "kind": f"CiliumBGP{kind}", "metadata": metadata, "spec": spec}
        yield f"/apis/cilium.io/v2/ciliumbgp{plural}/{metadata['name']}", body
