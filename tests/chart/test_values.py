"""Values of the chart: what they become, and what is refused with the way out."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmcp_controller.render import render
from kmcp_controller.spec import Platform, is_suite_image, parse
from kmcp_runtime import Effect
from kmcp_runtime.catalog import InvalidDocumentError, load, load_parts
from kmcp_runtime.engine.subjects import Subjects
from kmcp_runtime.reference.chart_rights import CLUSTER_SCOPED
from tests.chart.rendering import CHART, SNAPSHOTS, VALUES, Chart, Object, of_kind, snapshot


@pytest.mark.parametrize("name", VALUES)
def test_lint_is_silent(name: str, chart: Chart, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(VALUES[name]))
    assert "[WARNING]" not in chart.run("lint", str(CHART), "--strict", "--values", str(values))


@pytest.mark.parametrize("name", VALUES)
def test_objects_are_those_of_the_snapshot(name: str, chart: Chart) -> None:
    rendered = snapshot(chart.rendered(VALUES[name]))
    assert rendered == (SNAPSHOTS / f"{name}.yaml").read_text(), "if meant: python -m tests.chart"


def test_copies_of_generated_files_are_fresh() -> None:
    assert (CHART / "files/catalog.yaml").read_text() == Path("catalog.yaml").read_text()


def test_the_controller_reads_the_whole_shipped_catalog(chart: Chart, tmp_path: Path) -> None:
    """D16: from all parts that are mounted, and from the one file that the chart of 0.1 mounts."""
    objects = chart.rendered({})
    pod = of_kind(objects, "Deployment")["kmcp-controller"]["spec"]["template"]["spec"]
    volume = next(each for each in pod["volumes"] if each["name"] == "shipped-catalog")
    mounted = tmp_path / "..2026_01_01"  # the kubelet's way: links to a folder that it exchanges as one
    mounted.mkdir()
    for source in volume["projected"]["sources"]:
        for name, text in of_kind(objects, "ConfigMap")[source["configMap"]["name"]]["data"].items():
            (mounted / name).write_text(text)
            (tmp_path / name).symlink_to(mounted / name)
    at = next(each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "shipped-catalog")["mountPath"]
    assert controller_env(objects)["KMCP_CATALOG_FILE"] == at
    assert load_parts(tmp_path) == load(Path("catalog.yaml").read_text()) == load_parts(Path("catalog.yaml"))


def test_a_folder_that_is_no_one_catalog_is_refused(chart: Chart, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 files that are not the parts of one catalog"):
        load_parts(tmp_path)
    part = next(iter(of_kind(chart.rendered({}), "ConfigMap").values()))["data"]
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(next(iter(part.values())))
    with pytest.raises(ValueError, match="2 files that are not the parts of one catalog; remove the others"):
        load_parts(tmp_path)
    (tmp_path / "b.json").write_text("[")
    with pytest.raises(InvalidDocumentError, match=r"b\.json"):
        load_parts(tmp_path)


@pytest.mark.parametrize("name", VALUES)
def test_every_object_can_be_applied_by_kubectl(name: str, chart: Chart) -> None:
    """D16: with room in the annotation of 256 KiB into which client-side apply, and Argo CD, put it once more."""
    everything = {each: {"enabled": True} for each in yaml.safe_load((CHART / "values.yaml").read_text())["servers"]}
    full = {**VALUES[name], "servers": {**everything, **VALUES[name].get("servers", {})}}
    for values in (VALUES[name], full):
        for found in chart.rendered(values):
            assert len(json.dumps(found)) <= 200_000, (found["kind"], found["metadata"]["name"])


def test_roles_of_the_catalog_are_what_their_tools_need(chart: Chart) -> None:
    kinds = [{"apiGroups": ["*"], "resources": ["*"]}]
    roles = of_kind(chart.rendered({"rbac": {"serverRoles": "bind", "kinds": kinds}}, release="rel"), "ClusterRole")
    for name, entry in load(Path("catalog.yaml").read_text()).servers.items():
        held = set(_each_right(roles[f"rel-{name}-write"]["rules"] or ()))
        cluster = CLUSTER_SCOPED  # what is in no namespace cannot be given in one
        assert held == {
            each
            for each in _each_right([rule.as_policy() for rule in entry.needs])
            if each[1] not in cluster.get(each[0], ())
        }


def _each_right(rules: Iterable[Object]) -> Iterator[tuple[str, str, str]]:
    for rule in rules:
        yield from itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])


def test_defaults_are_those_of_the_code(chart: Chart) -> None:
    environment = controller_env(chart.rendered({}))
    platform = Platform()
    assert environment["KMCP_ADAPTER_IMAGE"] == platform.adapter_image
    assert environment["KMCP_APP_PROTOCOL"] == platform.app_protocol
    assert environment["KMCP_REMOTE_MCP_SERVERS"] == platform.remote
    assert platform.default_images == {name: environment[f"KMCP_{name.upper()}_IMAGE"] for name in ("uvx", "npx")}


def test_alerts_ask_for_metrics_that_the_controller_has(chart: Chart) -> None:
    rule = of_kind(chart.rendered({"controller": {"metrics": {"alerts": True}}}), "PrometheusRule")["kmcp"]
    asked = {name for found in rule["spec"]["groups"][0]["rules"] for name in re.findall(r"kmcp_\w+", found["expr"])}
    source = Path("kmcp_controller/telemetry/metrics.py").read_text()
    # The client adds _total to counters; the controller's own prefix is written once.
    bare = {name.removeprefix("kmcp_controller_").removesuffix("_total") for name in asked}
    assert {name for name in bare if f'"{name}"' not in source} == set()


@pytest.mark.parametrize("repository", ["kmcp/kmcp-controller", "host:5000/tools/kmcp-controller", "kmcp-controller"])
def test_the_suites_own_servers_are_suite_images(chart: Chart, repository: str) -> None:
    objects = chart.rendered({"image": {"repository": repository}, "composed": {"enabled": True}})
    platform = Platform(suite_images=(controller_env(objects)["KMCP_SUITE_IMAGES"],))
    for server in of_kind(objects, "MCPServer").values():
        parsed = parse(server, platform)
        assert is_suite_image(parsed.deployment.image, platform)
        assert parsed.port == parsed.target_port
        assert parsed.extensions.read_only
    prefix = repository.removesuffix("kmcp-controller")
    assert not is_suite_image(f"{prefix}other:1", platform)


@pytest.mark.parametrize(
    ("kubernetes", "read_only", "bound"),
    [
        ({}, True, {"view", "kmcp-kmcp-kubernetes-cluster"}),
        ({"readOnly": False}, False, {"view", "kmcp-kmcp-kubernetes-cluster"}),
        ({"rbac": "edit"}, False, {"edit", "kmcp-kmcp-kubernetes-cluster"}),
        ({"rbac": "full"}, False, {"kmcp-kmcp-kubernetes-full"}),
        ({"rbac": "full", "readOnly": True}, True, {"kmcp-kmcp-kubernetes-full"}),
        ({"rbac": "none"}, False, set()),
    ],
)
def test_rights_of_the_kubernetes_server(chart: Chart, kubernetes: Object, read_only: bool, bound: set[str]) -> None:
    objects = chart.rendered({"servers": {"kubernetes": kubernetes}, "composed": {"enabled": True}})
    holders: dict[str, set[str]] = {}
    for binding in of_kind(objects, "ClusterRoleBinding").values():
        for subject in binding["subjects"]:
            holders.setdefault(subject["name"], set()).add(binding["roleRef"]["name"])
    bound = bound | {"kmcp-token-review"}
    for name in ("kmcp-kubernetes", "kagent-tools"):
        assert holders.get(name, set()) == bound
        server = parse(of_kind(objects, "MCPServer")[name], Platform(suite_images=("localhost/kmcp/kmcp",)))
        assert server.extensions.read_only is read_only
    assert bound - {"view", "edit"} <= of_kind(objects, "ClusterRole").keys()


@pytest.mark.parametrize(
    ("values", "holders"),
    [
        ({}, set()),
        ({"servers": {"kubernetes": {"rbac": "full"}}}, {"kmcp-kubernetes"}),
        (
            {"servers": {"kubernetes": {"rbac": "full"}}, "composed": {"enabled": True}},
            {"kmcp-kubernetes", "kagent-tools"},
        ),
        ({"servers": {"grafana": {"enabled": True, "readOnly": False}}}, {"kmcp-grafana"}),
        (
            {"servers": {"grafana": {"enabled": True, "readOnly": False}}, "composed": {"enabled": True}},
            {"kmcp-grafana"},
        ),
        (
            {"servers": {"kubernetes": {"rbac": "none", "deployment": {"serviceAccountName": "mine"}}}},
            {"mine"},
        ),
        ({"servers": {"kubernetes": {"rbac": "full"}}, "approvalLedger": "process"}, set()),
        ({"servers": {"kubernetes": {"rbac": "full"}}, "rbac": {"create": False}}, set()),
    ],
)
def test_A3_servers_that_may_destroy_share_a_ledger_and_hold_its_rights_alone(
    chart: Chart, values: Object, holders: set[str]
) -> None:
    objects = chart.rendered(values)
    bindings = of_kind(objects, "RoleBinding").values()
    bound = {
        subject["name"]
        for binding in bindings
        if binding["roleRef"]["name"] == "kmcp-approvals"
        for subject in binding["subjects"]
    }
    assert bound == holders
    role = of_kind(objects, "Role").get("kmcp-approvals")
    assert (role is not None) == bool(holders)
    if role:
        rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "list", "delete"]}
        assert role["rules"] == [rule]
        assert role["metadata"]["namespace"] == "kmcp-system"
    for name, server in of_kind(objects, "MCPServer").items():
        deployment = server["spec"]["deployment"]
        noting = deployment.get("env", {}).get("KMCP_APPROVAL_LEDGER") == "lease"
        assert noting == (deployment.get("serviceAccountName", name) in holders)


def test_A3_a_ledger_of_your_own_choice_is_kept(chart: Chart) -> None:
    values = {"servers": {"kubernetes": {"rbac": "full", "values": {"KMCP_APPROVAL_LEDGER": "process"}}}}
    server = of_kind(chart.rendered(values), "MCPServer")["kmcp-kubernetes"]
    assert server["spec"]["deployment"]["env"]["KMCP_APPROVAL_LEDGER"] == "process"


ALL = {"enabled": True}
EVERY_SERVER: Object = {
    "servers": dict.fromkeys(("prometheus", "grafana", "helm", "argo", "istio", "cilium", "querydoc", "clock"), ALL),
    "composed": ALL,
}


@pytest.mark.parametrize("given", [{}, EVERY_SERVER])
def test_V1_whoever_reaches_a_pod_may_not_call_it_for_that(chart: Chart, given: Object) -> None:
    objects = chart.rendered(given)
    servers = of_kind(objects, "MCPServer")
    reviewing = of_kind(objects, "ClusterRoleBinding")["kmcp-token-review"]
    accounts = {subject["name"] for subject in reviewing["subjects"]}
    for name, server in servers.items():
        deployment = server["spec"]["deployment"]
        assert "--allow-unauthenticated" not in deployment["args"]
        assert deployment["env"]["KMCP_TOKEN_REVIEW"] == "true"
        assert deployment.get("serviceAccountName", name) in accounts, "or it could confirm nobody"
        grants = Subjects(deployment["env"]["KMCP_TOKEN_GRANTS"], "KMCP_TOKEN_GRANTS")
        for user, namespace, effects in (
            ("system:serviceaccount:kmcp-system:kmcp", "kmcp-system", set()),
            ("system:serviceaccount:kagent:agent", "kagent", {Effect.READ}),
            ("system:serviceaccount:team-a:agent", "team-a", set()),
        ):
            assert grants.grant(user, [f"system:serviceaccounts:{namespace}"]).effects == effects
        parsed = parse(server, Platform(suite_images=("localhost/kmcp/kmcp",)))
        policy = render(parsed, Platform(suite_images=("localhost/kmcp/kmcp",)))
        (ingress,) = next(each for each in policy if each["kind"] == "NetworkPolicy")["spec"]["ingress"]
        named = ingress["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"]
        assert named == ["kmcp-system", "kagent"]
        account = next(each for each in policy if each["kind"] == "Deployment")["spec"]["template"]["spec"]
        assert account.get("automountServiceAccountToken") is not False, "it asks the API server"


def test_V1_the_controller_gets_a_token_that_the_servers_take(chart: Chart) -> None:
    objects = chart.rendered({"authentication": {"audience": "tools"}})
    (deployment,) = of_kind(objects, "Deployment").values()
    volumes = {each["name"]: each for each in deployment["spec"]["template"]["spec"]["volumes"]}
    (source,) = volumes["discovery-token"]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "tools"
    assert controller_env(objects)["KMCP_DISCOVERY_TOKEN_FILE"] == "/var/run/secrets/kmcp/token"
    (server,) = of_kind(objects, "MCPServer").values()
    assert server["spec"]["deployment"]["env"]["KMCP_TOKEN_AUDIENCE"] == "tools"


def test_V1_tokens_of_a_secret_are_taken_too(chart: Chart) -> None:
    own = {"name": "mine", "emptyDir": {}}
    values = {"kubernetes": {"deployment": {"volumes": [own], "volumeMounts": [{"name": "mine", "mountPath": "/m"}]}}}
    objects = chart.rendered({"authentication": {"tokensSecret": "callers"}, "servers": values})
    (server,) = of_kind(objects, "MCPServer").values()
    deployment = server["spec"]["deployment"]
    assert deployment["volumes"] == [own, {"name": "caller-tokens", "secret": {"secretName": "callers"}}]
    folder = deployment["volumeMounts"][1]["mountPath"]
    assert deployment["env"]["KMCP_AUTH_TOKENS_FILE"] == f"{folder}/tokens"
    assert deployment["env"]["KMCP_TOKEN_REVIEW"] == "true"


def test_V1_grants_come_before_what_namespaces_may(chart: Chart) -> None:
    grants = [
        {"subject": "system:serviceaccount:kagent:fixer", "scopes": ["destroy"]},
        {"subject": "group:oncall", "scopes": ["write", "kubernetes"]},
    ]
    (server,) = of_kind(chart.rendered({"authentication": {"grants": grants}}), "MCPServer").values()
    found = Subjects(server["spec"]["deployment"]["env"]["KMCP_TOKEN_GRANTS"], "x")
    assert found.grant("system:serviceaccount:kagent:fixer", ["system:serviceaccounts:kagent"]).effects == set(Effect)
    assert found.grant("jane", ["oncall"]).servers == frozenset({"kubernetes"})
    assert found.grant("system:serviceaccount:kagent:other", ["system:serviceaccounts:kagent"]).effects == {Effect.READ}


def test_V1_no_authentication_is_said_in_so_many_words(chart: Chart) -> None:
    objects = chart.rendered({"authentication": {"enabled": False}, "networkPolicy": {"enabled": False}})
    (server,) = of_kind(objects, "MCPServer").values()
    assert "--allow-unauthenticated" in server["spec"]["deployment"]["args"]
    assert "env" not in server["spec"]["deployment"]
    assert "kmcp-token-review" not in of_kind(objects, "ClusterRole")
    assert "network" not in server["metadata"]["annotations"]["kmcp-suite/extensions"]


@pytest.mark.parametrize(
    ("servers", "read_only"),
    [
        ({"kubernetes": {"rbac": "full"}, "clock": ALL, "prometheus": ALL}, False),
        ({"kubernetes": {"rbac": "full"}, "clock": {"enabled": True, "readOnly": True}}, True),
        ({"kubernetes": {"rbac": "full"}, "helm": ALL}, True),
        ({"kubernetes": {"rbac": "view"}, "clock": ALL}, True),
    ],
)
def test_V4_a_server_without_rights_takes_none_from_the_others(chart: Chart, servers: Object, read_only: bool) -> None:
    objects = chart.rendered({"servers": servers, "composed": ALL})
    composed = parse(of_kind(objects, "MCPServer")["kagent-tools"], Platform(suite_images=("localhost/kmcp/kmcp",)))
    assert composed.extensions.read_only is read_only
    holders = [each["metadata"]["name"] for each in of_kind(objects, "RoleBinding").values()]
    assert ("kmcp-kagent-tools-approvals" in holders) is not read_only


REFUSED: list[tuple[Object, str]] = [
    ({"controler": {}}, "additional properties 'controler' not allowed"),
    ({"servers": {"kubernetes": {"rbac": "admin"}}}, "value must be one of 'view', 'edit', 'full', 'none'"),
    ({"servers": {"kubernetes": {"readonly": True}}}, "additional properties 'readonly' not allowed"),
    ({"servers": {"kubernets": {"enabled": True}}}, "servers.kubernets: the catalog has no such server; there are"),
    ({"servers": {"kubernetes": {"values": {"KUBECONFI": "x"}}}}, "KUBECONFI: no setting of this server; there are"),
    ({"servers": {"kubernetes": {"values": {"KMCP_STATE_KEY": "x"}}}}, "all servers share one; name its Secret in"),
    ({"servers": {"kubernetes": {"values": {"KUBECONFIG": {"secret": {}}}}}}, "/servers/kubernetes/values/KUBECONFIG"),
    ({"servers": {"kubernetes": {"deployment": {"port": 1}}}}, "/servers/kubernetes/deployment"),
    ({"controller": {"references": {"secrets": "all"}}}, "/controller/references/secrets"),
    ({"controller": {"workers": "16"}}, "/controller/workers"),
    ({"controller": {"replicaCount": 2, "leaderElection": {"enabled": False}}}, "false is for one replica; several"),
    ({"controller": {"metrics": {"secureServing": True}}}, "certSecret: required with secureServing; name a Secret"),
    ({"serviceAccount": {"create": False}}, "serviceAccount.name: required when serviceAccount.create is false"),
    ({"rbac": {"serverRoles": "all"}}, "/rbac/serverRoles"),
    ({"rbac": {"namespaces": ["A.b"]}}, "/rbac/namespaces/0"),
    ({"composed": {"enabled": True}, "servers": {"kubernetes": {"enabled": False}}}, "no server is enabled below"),
    ({"catalog": {"http": {"port": 0}}}, "/catalog/http/port"),
    ({"approvalLedger": "none"}, "/approvalLedger"),
    ({"catalogs": [{"url": "https://example.com/c"}]}, "missing property 'sha256'"),
    ({"catalogs": [{"url": "http://example.com/c", "sha256": "ab" * 32}]}, "/catalogs/0/url"),
    ({"authentication": {"grants": [{"subject": "a;b", "scopes": ["read"]}]}}, "/authentication/grants/0/subject"),
    ({"authentication": {"grants": [{"subject": "a", "scopes": []}]}}, "/authentication/grants/0/scopes"),
    ({"authentication": {"audience": ""}}, "/authentication/audience"),
    ({"callers": {"namespaces": ["A.b"]}}, "/callers/namespaces/0"),
]


@pytest.mark.parametrize(("values", "complaint"), REFUSED)
def test_values_that_cannot_work_are_refused(chart: Chart, values: Object, complaint: str) -> None:
    assert complaint in chart.refused(values)


def test_every_value_is_documented_and_checked() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    top = [number for number, line in enumerate(lines) if line and not line.startswith((" ", "#"))]
    # Settings of pods are Kubernetes' own words.
    plain = {
        "podAnnotations",
        "podSecurityContext",
        "securityContext",
        "resources",
        "nodeSelector",
        "tolerations",
        "affinity",
    }
    for start, end in zip(top, [*top[1:], len(lines)], strict=True):
        comments = [line for line in lines[max(0, start - 1) : end] if line.lstrip().startswith("#")]
        assert comments or lines[start].partition(":")[0] in plain, lines[start]
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    assert unchecked(yaml.safe_load("\n".join(lines)), schema) == []


def test_the_readme_has_every_value_with_its_default_and_nothing_else() -> None:
    page = (CHART / "README.md").read_text()
    known: set[str] = set()

    def leaves(values: Object, path: str = "") -> Iterator[tuple[str, Any]]:
        for name, value in values.items():
            known.add(f"{path}{name}")
            if isinstance(value, dict) and value:
                yield from leaves(value, f"{path}{name}.")
            else:
                yield f"{path}{name}", value

    for path, value in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        shown = json.dumps(value, ensure_ascii=False)
        assert f"| `{path}` | `{shown}` |" in page or (len(shown) > 60 and f"| `{path}` | `see values.yaml` |" in page)
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) <= known, "keys of what stands in a list are no values of their own"


def unchecked(values: Any, schema: Any, path: str = "") -> list[str]:
    """Paths of values that the schema does not know."""
    if not isinstance(values, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    missing = [f"{path}.{name}" for name in values if name not in known]
    inner = [unchecked(value, known[name], f"{path}.{name}") for name, value in values.items() if name in known]
    return missing + [each for found in inner for each in found]


def controller_env(objects: list[Object]) -> dict[str, str]:
    (deployment,) = of_kind(objects, "Deployment").values()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}
