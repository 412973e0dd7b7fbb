"""What agents of each supported minor version answer where their answers differ, after the source of that version.

Read in the Go modules of 1.15.19, 1.16.19, 1.17.6, 1.18.6, 1.19.5 and 1.20.2; the file is named beside each answer.
"""

from pathlib import Path
from typing import Any, cast

import pytest

from kmcp_cilium.agents import version_page
from kmcp_cilium.chart import cluster_mesh
from kmcp_cilium.chart.cluster_mesh import Side
from kmcp_cilium.client import Cilium
from kmcp_cilium.server import SERVER
from kmcp_runtime.helm.release import Release
from tests.cilium.conftest import calling
from tests.cilium.fleet import NAMESPACE, VERSION, Argv, FakeAgent, Output, answering, document, fleet
from tests.cluster.binaries import MODULES

# Both printed by the two libraries themselves: logrus 1.9.3 and log/slog.
ERROR = (
    r'error="spec.ingress[0].fromCIDR[0]: Invalid value: \"10.0.0.0/99\": not a \"CIDR\"\n'
    r'\x1b[31mred\a é 😀 \u200b\\"'
)
BY_LOGRUS = f"""\
time="2026-11-30T00:49:18Z" level=info msg="Validation OK!" CiliumNetworkPolicy=shop/web
time="2026-11-30T00:49:18Z" level=error msg="Unexpected validation error" CiliumNetworkPolicy=shop/bad.one {ERROR}
time="2026-11-30T00:49:18Z" level=info msg="Validation OK!" CiliumClusterwideNetworkPolicy=wide
time="2026-11-30T00:49:18Z" level=fatal msg="Found invalid CiliumNetworkPolicy"
"""
BY_SLOG = f"""\
time=2026-11-30T00:49:18.384Z level=INFO msg="Validation OK!" type=CiliumNetworkPolicy name=shop/web
time=2026-11-30T00:49:18.384Z level=ERROR msg="Unexpected validation error" {ERROR} \
type=CiliumNetworkPolicy name=shop/bad.one
time=2026-11-30T00:49:18.384Z level=INFO msg="Validation OK!" type=CiliumClusterwideNetworkPolicy name=wide
time=2026-11-30T00:49:18.384Z level=ERROR msg="Found invalid CiliumNetworkPolicy"
"""


@pytest.mark.parametrize(
    ("version", "log"),
    [
        *((version, BY_LOGRUS) for version in ("1.15.19", "1.16.19", "1.17.6")),
        *((version, BY_SLOG) for version in ("1.18.6", "1.19.5", "1.20.2")),
    ],
)
async def test_validation_is_read_from_the_log_of_each_version(tmp_path: Path, version: str, log: str) -> None:
    """C3: cilium-dbg/cmd/preflight_k8s_valid_cnp.go."""

    def answer(argv: Argv) -> Output:
        assert argv[1:] == ("preflight", "validate-cnp")
        return Output(stderr=log, code=1)

    objects: dict[str, Any] = {"/apis/cilium.io/v2/ciliumnetworkpolicies": []}
    agent = FakeAgent("a", answer, version=version)
    async with fleet(tmp_path, [agent], objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_validate_cilium_network_policies", enable_k8s="true")
    assert [(each["kind"], each.get("namespace"), each["name"], each["valid"]) for each in found["items"]] == [
        ("CiliumNetworkPolicy", "shop", "bad.one", False),
        ("CiliumClusterwideNetworkPolicy", None, "wide", True),
        ("CiliumNetworkPolicy", "shop", "web", True),
    ]
    assert found["items"][0]["error"].startswith('spec.ingress[0].fromCIDR[0]: Invalid value: "10.0.0.0/99"')
    assert "é 😀" in found["items"][0]["error"]
    assert (found["valid"], found["total"]) == (False, 3)


@pytest.mark.parametrize("version", ["1.15.19", "1.16.19", "1.17.6", "1.18.6", "1.19.5", "1.20.2", "unknown"])
@pytest.mark.parametrize("form", ["", "list", "map"])
def test_connected_clusters_are_written_as_the_chart_of_the_version_takes_them(version: str, form: str) -> None:
    """C4: values.schema.json takes an array up to 1.18, later an object, too; a form that works stays."""
    entry = {"ips": ["192.0.2.7"], "port": 2379}
    known: Any = {"": None, "list": [{"name": "three", **entry}], "map": {"three": entry}}[form]
    config = {} if known is None else {"clustermesh": {"config": {"clusters": known}}}
    release = Release("cilium", "kube-system", 1, "deployed", chart={"version": version}, config=config)
    side = Side(cast("Cilium", None), release)
    clusters = cluster_mesh.added(side, "two", entry)["clustermesh"]["config"]["clusters"]
    left = cluster_mesh.removed(side, "three")["clustermesh"]["config"]["clusters"]
    before = [] if known is None else ["three"]
    if form == "list" or version in ("1.15.19", "1.16.19", "1.17.6", "1.18.6"):
        assert [(each["name"], each["port"]) for each in clusters] == [(name, 2379) for name in [*before, "two"]]
        assert left == []
    else:
        assert (clusters, left) == ({"two": entry}, {"three": None})


BRIEF = "status --brief --require-k8s-connectivity=false -o json"
BASE = f"/apis/apps/v1/namespaces/{NAMESPACE}"
CONFIG = f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-config"


def cilium_objects(**config: str) -> dict[str, Any]:
    """A DaemonSet of two agents, and the configuration that they have."""
    container = {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.17.6"}
    daemons = {
        "metadata": {"name": "cilium"},
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {"desiredNumberScheduled": 2, "numberReady": 0},
    }
    return {f"{BASE}/daemonsets": [daemons], f"{BASE}/deployments": [], CONFIG: {"data": config}}


@pytest.mark.parametrize("objects", [{}, {"/apis/cilium.io/v2/ciliumendpoints": []}])
async def test_pods_that_nobody_counts_are_not_said_to_be_unmanaged(tmp_path: Path, objects: dict[str, Any]) -> None:
    """C7: with disable-endpoint-crd no object says which pods are managed."""
    agent = FakeAgent("a", answering({BRIEF: {"cilium": {"state": "Ok"}}}), version="1.17.6")
    config = cilium_objects(**{"disable-endpoint-crd": "true"}) | objects
    async with fleet(tmp_path, [agent], config) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_status_and_version")
    assert found["endpoints"] == {"pods": 1}
    assert found["problems"] == ["cilium: 0 of 2 ready"]
    assert "not counted" in found["hint"]


async def test_what_is_known_is_shown_when_no_agent_answers(tmp_path: Path) -> None:
    """C7: a DaemonSet and a configuration say something without an agent."""
    agents = [FakeAgent("a", answering({}), ready=False), FakeAgent("b", answering({}))]
    objects = cilium_objects(ipam="cluster-pool")
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_status_and_version")
    assert (found["healthy"], found["version"], found["agents_total"]) == (False, {}, 2)
    assert [(each["node"], each["state"]) for each in found["agents"]] == [("a", "unreachable"), ("b", "unreachable")]
    assert found["features"]["ipam"] == "cluster-pool"
    assert found["problems"][:2] == ["the agent on a, b is not healthy", "cilium: 0 of 2 ready"]
    async with fleet(tmp_path, [], objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_status_and_version")
        assert (found["components"][0]["desired"], found["agents_total"]) == (2, 0)
        assert "no pod k8s-app=cilium" in found["problems"][-1]
    nothing: dict[str, Any] = {f"{BASE}/daemonsets": [], f"{BASE}/deployments": []}
    async with fleet(tmp_path, [], nothing) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails("cilium_status_and_version")
    assert (error["code"], "not installed" in error["message"]) == ("unavailable", True)


@pytest.mark.parametrize("containers", [["cilium-operator"], ["other"]])
async def test_features_of_agents_are_shown_when_the_operator_fails(tmp_path: Path, containers: list[str]) -> None:
    """C10: also when its pod is of another make."""
    metrics = "metrics list -p cilium_.*feature -o json"
    feature = {"name": "cilium_feature_ipam", "labels": {"mode": "crd"}, "value": 1}
    operator = FakeAgent("op", answering({}), label="io.cilium/app=operator")
    agents = [FakeAgent("a", answering({metrics: [feature]})), operator]
    pod = {"spec": {"containers": [{"name": name} for name in containers]}}
    objects = {
        f"/api/v1/namespaces/{NAMESPACE}/pods/{operator.pod}": pod,
        "/apis/apps/v1/daemonsets": [],
    }
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_features_status")
    assert [each["feature"] for each in found["items"]] == ["cilium_feature_ipam"]
    assert found["warnings"][0].startswith("the operator's features are not shown: ")


async def test_a_mesh_is_shown_as_far_as_it_is_known(tmp_path: Path) -> None:
    """C7, C10: with no agent that answers, and a cache that fails."""
    apiserver = FakeAgent("m", answering({}), label="k8s-app=clustermesh-apiserver")
    agents = [FakeAgent("a", answering({}), ready=False), apiserver]
    base = f"/api/v1/namespaces/{NAMESPACE}"
    objects = cilium_objects() | {
        f"{base}/services/clustermesh-apiserver": {"spec": {"type": "NodePort", "ports": [{"nodePort": 32379}]}},
        f"{base}/secrets/cilium-clustermesh": {"data": {"two": "", "two.etcd-client.key": ""}},
    }
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_cluster_mesh_status")
    assert (found["enabled"], found["configured"], found["clusters"]) == (True, ["two"], [])
    assert found["problems"] == ["no agent answers"]
    assert found["warnings"][0].startswith("what kvstoremesh knows is not shown: ")


def test_the_catalog_names_the_version_that_was_met() -> None:
    """C10: the agent that the tests run, whose version every tool of the server is verified against."""
    version = MODULES.joinpath("cilium/go.mod").read_text().split("github.com/cilium/cilium v")[1].split()[0]
    assert {declared.against for declared in SERVER.tools()} == {f"Cilium {version}"}
    assert version == VERSION


@pytest.mark.parametrize(
    ("version", "tool", "arguments", "command", "since"),
    [
        ("1.16.19", "cilium_show_ip_cache_information", {"cidr": "10.0.0.1"}, "ip get", "1.17"),
        ("1.15.19", "cilium_show_load_information", {}, "loadinfo", "1.16"),
        ("1.16.19", "cilium_list_envoy_config", {"resource_name": "logging"}, "envoy admin logging", "1.17"),
        ("1.18.6", "cilium_display_selectors", {"subject": True}, "policy subject-selectors", "1.19"),
        ("1.19.5", "cilium_list_pcap_recorders", {}, "recorder", "1.19"),
    ],
)
async def test_a_command_that_a_version_does_not_have_is_named_with_what_to_do(
    tmp_path: Path, version: str, tool: str, arguments: dict[str, Any], command: str, since: str
) -> None:
    """C5: whichever way it is missing, the program would print its help."""
    agent = FakeAgent("a", answering({}), version=version)
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails(tool, **arguments)
    assert error["code"] == "unavailable"
    assert f"`cilium-dbg {command}`" in error["message"]
    assert f"Cilium {since} and this agent runs {version}" in error["message"]
    assert [argv[1] for argv in agent.asked] == ["version"]


SERVICE = {"id": 7, "frontend": "10.96.0.1:80", "backends": ["10.0.0.2:80"]}


@pytest.mark.parametrize(
    ("version", "changed", "words"),
    [
        ("1.17.6", {"frontend": "10.96.0.1:80/SCTP"}, "TCP and UDP only"),
        ("1.16.19", {"frontend": "10.96.0.1:80/UDP"}, "TCP only"),
        ("1.16.19", {"protocol": "udp"}, "TCP only"),
        ("1.17.6", {"backends": ["10.0.0.2:80/UDP"]}, "UDP behind a frontend of TCP"),
        ("1.17.6", {"backend_weights": [100]}, "datapath mode veth"),
        ("1.17.6", {"backend_weights": "100"}, "datapath mode veth"),
        ("1.17.6", {"backend_weights": [70_000]}, "65535"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_services_that_a_version_does_not_write_are_refused(
    tmp_path: Path, version: str, changed: dict[str, Any], words: str, dry_run: bool
) -> None:
    """C5: cilium-dbg/cmd/service_update.go; a rehearsal fails where the run would."""
    answers = {"service list -o json": [], "config -a -o json": {"DatapathMode": "veth", "options": {}}}
    agent = FakeAgent("a", answering(answers), version=version)
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails("cilium_update_service", **{**SERVICE, **changed}, dry_run=dry_run)
    assert (error["code"], words in error["message"]) == ("bad_argument", True), error
    assert not any("update" in argv for argv in agent.asked)


async def test_weights_are_written_where_the_mode_takes_them(tmp_path: Path) -> None:
    def answer(argv: Argv) -> Output:
        listed = {"service list -o json": [], "config -a -o json": {"DatapathMode": "lb-only"}}
        return Output() if argv[1:3] == ("service", "update") else answering(listed)(argv)

    agent = FakeAgent("a", answer, version="1.17.6")
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        await tools.ok("cilium_update_service", **SERVICE, backend_weights="100", states="active")
    (update,) = [argv for argv in agent.asked if "update" in argv]
    assert update[update.index("--backend-weights") + 1] == "100"


def service(number: int) -> dict[str, Any]:
    address = {"ip": f"10.96.0.{number}", "port": 80, "protocol": "TCP"}
    spec = {"id": number, "frontend-address": address, "backend-addresses": []}
    return {"spec": spec, "status": {"realized": spec}}


@pytest.mark.parametrize(("left", "gone"), [([8], [7]), ([7, 8], [])])
async def test_services_that_could_not_be_deleted_are_told(tmp_path: Path, left: list[int], gone: list[int]) -> None:
    """C5: with --all the program logs errors and exits with 0 (cilium-dbg/cmd/service_delete.go)."""
    log = 'time="2026-11-30T00:49:18Z" level=error msg="Cannot delete service" error="\\"busy\\"" serviceID=8\n'
    services = [7, 8]

    def answer(argv: Argv) -> Output:
        if argv[1:] == ("service", "delete", "--all"):
            services[:] = left
            return Output(stderr=log)
        return document([service(number) for number in services])

    agent = FakeAgent("a", answer, version="1.17.6")
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        if not gone:
            error = await tools.fails("cilium_delete_service", all=True)
            assert 'Cannot delete service: "busy" (serviceID=8)' in error["message"]
            return
        done = await tools.ok("cilium_delete_service", all=True)
    assert (done["result"], done["changed"], done["total"]) == ("deleted in part", True, 1)
    assert ([each["id"] for each in done["deleted"]], [each["id"] for each in done["kept"]]) == (gone, left)
    assert done["warnings"][0] == 'Cannot delete service: "busy" (serviceID=8)'


async def test_a_change_that_logs_an_error_is_no_success(tmp_path: Path) -> None:
    """C5, the kind: also where the agent's program is a newer one, which logs by slog."""
    log = 'time=2026-11-30T00:49:18.384Z level=ERROR msg="Unable to clean" error="no such file" name=x\n'

    def answer(argv: Argv) -> Output:
        return Output(stderr=log) if argv[1:4] == ("fqdn", "cache", "clean") else document([])

    async with fleet(tmp_path, [FakeAgent("a", answer)]) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails("cilium_fqdn_cache", command="clean")
    assert (error["code"], "Unable to clean: no such file (name=x)" in error["message"]) == ("unavailable", True)


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("", "printed nothing"),
        ("FQDN proxy is off\n", "'FQDN proxy is off' instead of JSON"),
        ("[{", "instead of JSON"),
    ],
)
async def test_output_that_is_not_json_is_a_clear_failure(tmp_path: Path, printed: str, told: str) -> None:
    agent = FakeAgent("a", answering({"fqdn cache list -o json": printed}))
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails("cilium_fqdn_cache", command="list")
    assert (error["code"], "cilium_status_and_version" in error["hint"]) == ("unavailable", True)
    assert f"`cilium-dbg fqdn cache` {told}" in error["message"] or told in error["message"]


WEB_LABELS = [
    {"source": "k8s", "key": f"io.cilium.k8s.policy.{key}", "value": value}
    for key, value in (("derived-from", "CiliumNetworkPolicy"), ("name", "web"), ("namespace", "shop"))
]


@pytest.mark.parametrize(
    ("version", "labels", "policy"),
    [
        ("1.15.19", WEB_LABELS, "CiliumNetworkPolicy shop/web"),
        ("1.19.5", WEB_LABELS, "CiliumNetworkPolicy shop/web"),
        ("1.20.2", [WEB_LABELS, []], "CiliumNetworkPolicy shop/web"),
        ("1.20.2", [[], WEB_LABELS], "CiliumNetworkPolicy shop/web"),
        ("1.20.2", [], None),
        ("1.20.2", None, None),
    ],
)
async def test_selectors_name_a_policy_in_each_form(
    tmp_path: Path, version: str, labels: Any, policy: str | None
) -> None:
    """C6: api/v1/models/selector_identity_mapping.go, whose labels are a list of lists from 1.20."""
    mapping = {"selector": "any:app=web", "users": 1, "identities": [7], **({"labels": labels} if labels else {})}
    agent = FakeAgent("a", answering({"policy selectors -o json": [mapping]}), version=version)
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        (found,) = (await tools.ok("cilium_display_selectors"))["items"]
    assert (found["selector"], found.get("policy"), found["identities"]) == ("any:app=web", policy, [7])


@pytest.mark.parametrize(
    ("version", "backend", "address"),
    [("1.16.19", {}, "10.0.0.2:80"), ("1.17.6", {"protocol": "UDP"}, "10.0.0.2:80/UDP")],
)
async def test_backends_have_the_protocol_that_the_agent_says(
    tmp_path: Path, version: str, backend: dict[str, str], address: str
) -> None:
    """C6: api/v1/models/backend_address.go has no protocol before 1.17."""
    spec = service(7)["spec"] | {"backend-addresses": [{"ip": "10.0.0.2", "port": 80, **backend}]}
    agent = FakeAgent("a", answering({"service list -o json": [{"spec": spec}]}), version=version)
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        (found,) = (await tools.ok("cilium_list_services"))["items"]
    assert [each["address"] for each in found["backends"]] == [address]


def test_the_page_of_versions_follows_from_the_commands() -> None:
    """Each supported version has a column, and each command the versions that have it."""
    (text,) = version_page.generated().values()
    assert "| `policy subject-selectors` | no | no | no | no | yes | yes |" in text
    assert "| `service update` | yes | yes | yes | no | no | no |" in text
    assert [form.at((1, 15)) for form in version_page.FORMS] != [form.at((1, 20)) for form in version_page.FORMS]
