"""The audit names what a call is about by its uid: of the object that was there, not of its successor."""

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.audit.making import calls, records
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster


async def test_objects_are_told_with_their_uid(
    careful: ToolCaller, api: KubeApi, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    made = await api.send("POST", maps, (), {"metadata": {"name": "web"}, "data": {"password": "hunter2-planted"}})
    about = {"resource_type": "configmap", "resource_name": "web", "namespace": namespace}
    there = {"kind": "ConfigMap", "namespace": namespace, "name": "web", "uid": made["metadata"]["uid"]}
    capsys.readouterr()

    await careful.ok("k8s_get_resource_yaml", **about)
    await careful.ok("k8s_label_resource", labels={"a": "b"}, **about)
    plan = await careful.fails("k8s_delete_resource", **about)
    await careful.ok("k8s_delete_resource", approval=plan["approval"], **about)
    manifest = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: web, namespace: {namespace}}}}}"
    await careful.ok("k8s_create_resource", yaml_content=manifest)
    again = await api.get(f"{maps}/web")

    err = capsys.readouterr().err
    lines = calls(records(err))
    assert [line["effect"] for line in lines] == ["read", "write", "destroy", "destroy", "write"]
    for line in lines[:4]:
        # Of one whose metadata alone was asked for the API server does not say the kind.
        assert line["objects"] in ([there], [{name: there[name] for name in ("namespace", "name", "uid")}]), line
        assert line["target"]["resource_name"] == "web"
    assert lines[4]["objects"] == [{**there, "uid": again["metadata"]["uid"]}]
    assert "hunter2" not in err
