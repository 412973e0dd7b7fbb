"""D10: a real tenant on the real API server, with the chart's admission policy and with the controller alone."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kmcp_controller.reconcile.tenants import Tenancy
from kmcp_controller.render import pod
from kmcp_controller.spec import parse
from kmcp_controller.spec.privileges import Allowed, judge_privileges
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.kube.settings import ClusterSettings
from tests.applying import apply
from tests.chart.rendering import Chart
from tests.cluster.model import Cluster as Given
from tests.controller.driving import MERGE, OPTIONS, Driver
from tests.controller.escalations import ALLOWED, ESCALATIONS, Escalation
from tests.controller.manifests import PLATFORM
from tests.patience import limits
from tests.rights import write_kubeconfig
from tests.waiting import until

Object = dict[str, Any]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
OWN = Allowed(annotations=("prometheus.io/scrape",))
DRY = [("dryRun", "All")]
RULES = [
    {"apiGroups": ["kagent.dev"], "resources": ["mcpservers"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["secrets", "configmaps"], "resourceNames": ["mine"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": ["mine"], "verbs": ["create"]},
]
"""What the tenant may."""


@pytest.mark.parametrize("name", ESCALATIONS)
def test_the_controller_refuses_what_nobody_was_asked_for(name: str) -> None:
    given = ESCALATIONS[name]
    if given.edit and given.known is not judged(given):
        pytest.fail(f"{name}: refused is {judged(given)}")


@pytest.mark.parametrize("name", ["nothing", "what is his", "a hardened pod", "a short annotation"])
def test_the_controller_takes_what_anybody_may(name: str) -> None:
    assert not judged(ALLOWED[name])


def test_what_the_platform_allows_is_taken() -> None:
    given = Escalation({"serviceAccountName": "shared", "tolerations": [{"key": "gpu", "operator": "Exists"}]})
    assert judged(given)
    server = parse(given.manifest("time", "tools"), PLATFORM)
    assert not judge_privileges(server, Allowed(service_accounts=("shared",), tolerations=("gpu",)))


def test_every_place_is_named_with_the_way_out() -> None:
    given = Escalation({"securityContext": {"privileged": True}, "volumes": [{"name": "v", "hostPath": {"path": "/"}}]})
    faults = judge_privileges(parse(given.manifest("time", "tools"), PLATFORM), OWN)
    assert [str(each).partition(":")[0] for each in faults] == [
        "spec.deployment.securityContext.privileged",
        "spec.deployment.volumes[0].hostPath",
    ]
    assert all("have somebody who may create pods here delete it and create it anew" in each.text for each in faults)


def judged(given: Escalation) -> bool:
    return bool(judge_privileges(parse(given.manifest("time", "tools"), PLATFORM), OWN))


class Namespace:
    """A namespace with the chart's policy, its users by name, and MCPServers written by them."""

    def __init__(self, driver: Driver, users: dict[str, KubeApi], policy: str) -> None:
        self.driver, self.users, self.policy = driver, users, policy

    async def write(self, user: str, given: Escalation, name: str = "try", query: Any = DRY) -> str:
        """What the API server said to it; empty when it was taken."""
        try:
            await self.users[user].send(
                "POST", self.driver.path("MCPServer"), query, given.manifest(name, self.driver.namespace)
            )
        except StatusFailure as failure:
            return failure.message
        return ""

    async def change(self, user: str, name: str, body: Object) -> str:
        try:
            await self.users[user].send("PATCH", self.driver.path("MCPServer", name), (), body, MERGE)
        except StatusFailure as failure:
            return failure.message
        return ""


@pytest.fixture
async def tenants(driver: Driver, helm: Path, cluster: Given, tmp_path: Path) -> AsyncIterator[Namespace]:
    space, policy = driver.namespace, f"{driver.namespace}-kmcp-tenants"
    await driver.api.send(
        "POST", f"{RBAC}/namespaces/{space}/roles", (), {"metadata": {"name": "tenant"}, "rules": RULES}
    )
    for name, kind, role in (("tina", "Role", "tenant"), ("eddy", "Role", "tenant"), ("eddy", "ClusterRole", "edit")):
        await _bind(driver.api, space, name, kind, role)
    settings = ClusterSettings(kubeconfig=str(cluster.kubeconfig))
    rendered = Chart(helm).rendered({"rbac": {"namespaces": [space]}}, namespace=space)
    made = [each for each in rendered if each["kind"].startswith("ValidatingAdmission")]
    async with AsyncExitStack() as stack:
        users = {"admin": driver.api}
        for name in ("tina", "eddy"):
            await driver.api.send(
                "POST", f"/api/v1/namespaces/{space}/serviceaccounts", (), {"metadata": {"name": name}}
            )
            contexts = load_contexts(str(await write_kubeconfig(driver.api, settings, space, name, tmp_path)))
            users[name] = KubeApi(contexts, contexts.named(None), limits())
            stack.push_async_callback(users[name].close)
        found = Namespace(driver, users, policy)
        try:
            for each in made:
                await apply(driver.api, each)
            await until(lambda: found.write("tina", ESCALATIONS["privileged"]), what="the policy to be in force")
            yield found
        finally:
            for kind in ("policybindings", "policies"):
                await driver.api.send(
                    "DELETE", f"/apis/admissionregistration.k8s.io/v1/validatingadmission{kind}/{policy}"
                )


async def _bind(api: KubeApi, space: str, name: str, kind: str, role: str) -> None:
    body = {
        "metadata": {"name": f"{name}-{role}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": space}],
    }
    await api.send("POST", f"{RBAC}/namespaces/{space}/rolebindings", (), body)


@pytest.mark.cluster
async def test_D10_a_tenant_gains_no_right_that_he_lacks(tenants: Namespace) -> None:
    """Each try is refused with what it is about; who may do the same by himself is let through."""
    wrong: dict[str, str] = {}
    for name, given in ESCALATIONS.items():
        said = await tenants.write("tina", given)
        if given.said not in said or not ("leave it out" in said or "write the rest as" in said):
            wrong[f"tina: {name}"] = said
        if bool(said := await tenants.write("eddy", given)) is given.edit:
            wrong[f"eddy: {name}"] = said
        if said := await tenants.write("admin", given):
            wrong[f"admin: {name}"] = said
    for name, given in ALLOWED.items():
        if said := await tenants.write("tina", given):
            wrong[f"allowed: {name}"] = said
    assert wrong == {}


@pytest.mark.cluster
async def test_D10_edits_are_judged_as_what_they_make(tenants: Namespace) -> None:
    driver = tenants.driver
    assert await tenants.write("tina", ALLOWED["nothing"], "hers", ()) == ""
    assert await tenants.write("admin", ESCALATIONS["privileged"], "his", ()) == ""
    privileged = {"spec": {"deployment": {"securityContext": {"privileged": True}}}}
    assert "asks for privilege" in await tenants.change("tina", "hers", privileged)
    annotation = {"metadata": {"annotations": {"kmcp-suite/extensions": "env: []"}}}
    assert "holds more than" in await tenants.change("tina", "hers", annotation)
    # What an administrator may run she may not fill with a command of hers, even though she adds nothing.
    command = {"spec": {"deployment": {"args": ["--mine"]}}}
    assert "asks for privilege" in await tenants.change("tina", "his", command)
    assert await tenants.change("tina", "hers", command) == ""
    assert await tenants.change("tina", "his", {"metadata": {"labels": {"team": "a"}}}) == "", "what runs is the same"
    assert (await driver.api.get(driver.path("MCPServer", "his")))["spec"]["deployment"].get("args") is None


@pytest.mark.cluster
async def test_D10_the_controller_takes_what_the_policy_let_pass_and_nothing_else(tenants: Namespace) -> None:
    driver, privileged = tenants.driver, ESCALATIONS["privileged"]
    tenancy = Tenancy(policy=tenants.policy, allowed=OWN)
    made = await driver.api.get(_policy(tenants.policy))
    since = datetime.fromisoformat(made["metadata"]["creationTimestamp"])
    assert await tenants.write("admin", privileged, "early", ()) == "", (
        "while other API servers may not know the policy"
    )
    await until(lambda: _now(driver), lambda now: now > since + timedelta(seconds=12), what="the policy to be in force")
    assert await tenants.write("admin", privileged, "asked", ()) == ""
    await driver.start(replace(OPTIONS, tenancy=tenancy))
    await driver.condition("Accepted", "True", name="asked")
    deployment = await driver.when("Deployment", bool, "the Deployment", name="asked")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privileged"] is True
    refused = await driver.condition("Accepted", "False", "NotAllowed", name="early")
    assert "spec.deployment.securityContext.privileged: gives the container the node" in refused["message"]
    assert await driver.get("Deployment", "early") is None
    assert await driver.get("ServiceAccount", "early") is None, "nothing is made by halves"


@pytest.mark.cluster
@pytest.mark.parametrize("policy", ["", "none-of-this-name"])
async def test_D10_without_a_policy_everybody_has_what_anybody_may(driver: Driver, policy: str) -> None:
    await driver.start(replace(OPTIONS, tenancy=Tenancy(policy=policy)))
    await driver.server({"image": "registry.example.com/a"})
    before = await driver.when("Deployment", bool, "the Deployment")
    await driver.server({"image": "registry.example.com/a", "volumes": [{"name": "v", "hostPath": {"path": "/"}}]})
    refused = await driver.condition("Accepted", "False", "NotAllowed")
    assert "spec.deployment.volumes[0].hostPath: reaches what is not the author's" in refused["message"]
    await driver.condition("Ready", "False", "NotAllowed")
    after = await driver.get("Deployment")
    assert after is not None
    assert after["spec"]["template"] == before["spec"]["template"], "the last good one stays"


@pytest.mark.cluster
async def test_namespaces_of_the_platform_are_trusted(driver: Driver) -> None:
    await driver.start(replace(OPTIONS, tenancy=Tenancy(trusted=frozenset({driver.namespace}))))
    await driver.server({"image": "registry.example.com/a", "volumes": [{"name": "v", "hostPath": {"path": "/"}}]})
    await driver.when("Deployment", bool, "the Deployment")


@pytest.mark.cluster
async def test_what_the_controller_takes_of_anybody_is_of_the_level_baseline(driver: Driver) -> None:
    """Pod Security itself is the judge, of pods as they come out of the controller."""
    enforce = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    await driver.api.send("PATCH", f"/api/v1/namespaces/{driver.namespace}", (), enforce, MERGE)
    await driver.create("ServiceAccount", "time")
    pods = f"/api/v1/namespaces/{driver.namespace}/pods"
    for given in [*ESCALATIONS.values(), *ALLOWED.values()]:
        if given.extensions.get("rbac") or given.annotation or judged(given):
            continue
        server = parse(given.manifest("time", driver.namespace), PLATFORM)
        spec = {**pod(server, PLATFORM), "serviceAccountName": "time"}
        for container in spec["containers"]:
            container.setdefault("image", "registry.example.com/s")
        await driver.api.send("POST", pods, DRY, {"metadata": {"name": "try"}, "spec": spec})


def _policy(name: str) -> str:
    return f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{name}"


async def _now(driver: Driver) -> datetime:
    """By the API server's clock."""
    made = await driver.api.send(
        "POST", f"/api/v1/namespaces/{driver.namespace}/configmaps", DRY, {"metadata": {"name": "clock"}}
    )
    return datetime.fromisoformat(made["metadata"]["creationTimestamp"])
