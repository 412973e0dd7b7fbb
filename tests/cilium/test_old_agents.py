"""Commands that only older agents have: a program that answers as they did, run in a real pod."""

import json
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cilium.conftest import calling
from tests.cilium.standin import Answer, agent_of
from tests.cluster.model import Cluster

pytestmark = pytest.mark.pods
FILTER = "10.0.0.0/8 0 10.1.0.0/16 80 TCP"


def service(number: int, frontend: str, *backends: str) -> dict[str, Any]:
    ip, _, port = frontend.partition(":")
    targets = [
        {"ip": backend.partition(":")[0], "port": int(backend.partition(":")[2]), "protocol": "TCP", "state": "active"}
        for backend in backends
    ]
    address = {"ip": ip, "port": int(port), "protocol": "TCP", "scope": "external"}
    flags = {"type": "ClusterIP", "namespace": "shop", "name": "web", "extTrafficPolicy": "Cluster"}
    spec = {"id": number, "frontend-address": address, "backend-addresses": targets, "flags": flags}
    return {"spec": spec, "status": {"realized": spec}}


def recorder(number: int, length: int, *filters: str) -> dict[str, Any]:
    names = ("src-prefix", "src-port", "dst-prefix", "dst-port", "protocol")
    told = [dict(zip(names, given.split(), strict=True)) for given in filters]
    return {"status": {"realized": {"id": number, "capture-length": length, "filters": told}}}


def listed(*documents: Any, after: str | None = None) -> Answer:
    return Answer("service list -o json", json.dumps(documents), after=after)


NOT_FOUND = "Error: Cannot get recorder '9': [GET /recorder/{id}][404] getRecorderIdNotFound"
MASKS = json.dumps([{"status": {"realized": {"users": 1, "priority": 40}}}])
OF_1_17 = (
    listed(service(7, "10.96.0.1:80", "10.0.0.1:80"), after="service delete 8"),
    listed(service(7, "10.96.0.1:80", "10.0.0.2:80"), service(8, "10.96.0.2:53"), after="service update"),
    listed(service(7, "10.96.0.1:80", "10.0.0.1:80"), service(8, "10.96.0.2:53")),
    Answer(
        "service update --id 7 --frontend 10.96.0.1:80 --backends 10.0.0.2:80,10.0.0.3:80 --protocol udp "
        "--states active,maintenance --k8s-ext-traffic-policy Local --k8s-int-traffic-policy Cluster --k8s-node-port",
        "Updating existing service with id '7'\nUpdated service with 2 backends\n",
    ),
    Answer("service delete 8", "Service 8 deleted successfully\n"),
)
OF_1_18 = (
    Answer("recorder list -o json", json.dumps([recorder(4, 64, FILTER)]) + "\n" + MASKS + "\n"),
    Answer("recorder get 4 -o json", json.dumps(recorder(4, 64, FILTER))),
    Answer("recorder get 9 -o json", stderr=NOT_FOUND, code=1),
    Answer(f"recorder update --id 9 --caplen 100 --filters {FILTER},::/0 0 2001:db8::/32 443 ANY", "Added recorder"),
    Answer("recorder delete 4"),
)


async def test_services_are_written_by_hand_up_to_1_17(api: KubeApi, cluster: Cluster, namespace: str) -> None:
    update = {
        "id": 7,
        "frontend": "10.96.0.1:80/udp",
        "backends": ["10.0.0.2:80", "10.0.0.3:80"],
        "states": ["active", "maintenance"],
        "k8s_ext_traffic_policy": "Local",
        "k8s_node_port": True,
    }
    async with (
        agent_of(api, cluster, namespace, "1.17.6", OF_1_17) as agent,
        calling(cluster.kubeconfig, namespace) as tools,
    ):
        plan = await tools.ok("cilium_update_service", **update, dry_run=True)
        assert (plan["dry_run"], plan["result"], "after" in plan) == (True, "would be updated", False)
        updated = await tools.ok("cilium_update_service", **update)
        assert (updated["changed"], updated["result"]) == (True, "updated")
        assert updated["before"]["backends"] == [{"address": "10.0.0.1:80/TCP", "state": "active"}]
        assert updated["after"]["backends"] == [{"address": "10.0.0.2:80/TCP", "state": "active"}]
        deleted = await tools.ok("cilium_delete_service", service_id=8)
        assert (deleted["total"], deleted["deleted"][0]["frontend"]) == (1, "10.96.0.2:53/TCP")
        missing = await tools.fails("cilium_delete_service", service_id=99)
        assert missing["code"] == "not_found"
        calls = await agent.calls()
    written = [call for call in calls if call[:2] == ["service", "update"]]
    assert len(written) == 1
    assert written[0][written[0].index("--backends") + 1] == "10.0.0.2:80,10.0.0.3:80"


async def test_what_older_callers_send_for_services_is_taken(api: KubeApi, cluster: Cluster, namespace: str) -> None:
    async with (
        agent_of(api, cluster, namespace, "1.17.6", OF_1_17) as agent,
        calling(cluster.kubeconfig, namespace) as tools,
    ):
        await tools.ok(
            "cilium_update_service",
            id="7",
            frontend="10.96.0.1:80",
            backends="10.0.0.2:80 10.0.0.3:80",
            states=["active", "maintenance"],
            k8s_ext_traffic_policy="Local",
            k8s_node_port="true",
            protocol="udp",
        )
        assert ["service", "update"] in [call[:2] for call in await agent.calls()]


async def test_recorders_up_to_1_18(api: KubeApi, cluster: Cluster, namespace: str) -> None:
    async with (
        agent_of(api, cluster, namespace, "1.18.4", OF_1_18) as agent,
        calling(cluster.kubeconfig, namespace) as tools,
    ):
        listing = await tools.ok("cilium_list_pcap_recorders")
        assert listing["items"] == [{"id": 4, "capture_length": 64, "filters": [FILTER]}]
        assert (await tools.ok("cilium_get_pcap_recorder", recorder_id=4))["recorder"]["filters"] == [FILTER]
        missing = await tools.fails("cilium_get_pcap_recorder", recorder_id=9)
        assert missing["code"] == "not_found"
        filters = ["10.0.0.0/8 0 10.1.0.0/16 80 tcp", "::/0 0 2001:db8::/32 443 any"]
        created = await tools.ok("cilium_update_pcap_recorder", recorder_id=9, filters=filters, caplen=100)
        assert (created["created"], created["changed"]) == (True, True)
        deleted = await tools.ok("cilium_delete_pcap_recorder", recorder_id=4)
        assert (deleted["deleted"], deleted["filters"]) == (True, [FILTER])
        calls = await agent.calls()
    update = next(call for call in calls if call[:2] == ["recorder", "update"])
    # A filter is one value with blanks in it, and both are one argument.
    assert update[-1] == f"{FILTER},::/0 0 2001:db8::/32 443 ANY"


async def test_an_agent_that_no_longer_has_the_command_is_not_asked(
    api: KubeApi, cluster: Cluster, namespace: str
) -> None:
    answers = [listed(service(7, "10.96.0.1:80", "10.0.0.1:80"))]
    async with (
        agent_of(api, cluster, namespace, "1.18.4", answers) as agent,
        calling(cluster.kubeconfig, namespace) as tools,
    ):
        error = await tools.fails(
            "cilium_update_service", id=7, frontend="10.96.0.1:80", backends=["10.0.0.2:80"], dry_run=True
        )
        calls = await agent.calls()
    assert error["code"] == "unavailable"
    assert "removed in Cilium 1.18" in error["message"]
    assert "1.18.4" in error["message"]
    assert "k8s_patch_resource resource_type=services resource_name=web namespace=shop" in error["hint"]
    assert [call[:2] for call in calls] == [["service", "list"]]
