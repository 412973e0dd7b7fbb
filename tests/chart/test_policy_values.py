"""Policy and audit of the suite's own servers by values: what a pod is given is what the server takes."""

import os
from pathlib import Path
from typing import Any

import pytest

from kmcp_clock.server import SERVER as CLOCK
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.configured import Process
from kmcp_runtime.settings import parse
from tests.chart.rendering import Chart, Object, of_kind
from tests.chart.test_monitoring import pods_of

RULES = '@id("all-read") permit (principal, action, resource) when { context.effect == Effect::"read" };\n'
CLAIM = {"persistentVolumeClaim": {"claimName": "kmcp-audit"}}
EVERYTHING: dict[str, Any] = {
    "policy": {"files": {"reads.cedar": RULES}, "contact": "the platform team"},
    "audit": {
        "required": True,
        "file": {"volume": CLAIM, "megabytes": 7, "files": 3},
        "otlp": {"endpoint": "http://collector:4318", "headersSecret": "collector-headers"},
        "keySecret": "audit-key",
    },
    "composed": {"enabled": True},
}


def started(pod: Object, objects: list[Object], folder: Path) -> tuple[RuntimeSettings, Process]:
    """The server as the pod would start it, with its volumes below a folder."""
    (container,) = pod["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    sources = {each["name"]: each for each in pod["spec"]["volumes"]}
    for mount in container["volumeMounts"]:
        place = folder / mount["mountPath"].strip("/")
        place.mkdir(parents=True)
        source = sources[mount["name"]]
        if "configMap" in source:
            (place / "..data").mkdir()  # the kubelet's way
            for name, text in of_kind(objects, "ConfigMap")[source["configMap"]["name"]]["data"].items():
                (place / "..data" / name).write_text(text)
                (place / name).symlink_to(Path("..data") / name)
        elif "secret" in source:
            (place / "key").write_text("k" * 32)
        environment = {
            name: value.replace(mount["mountPath"], str(place)) if value.startswith(mount["mountPath"]) else value
            for name, value in environment.items()
        }
    runtime = parse([RuntimeSettings], [], environment, "kmcp-clock", "")[RuntimeSettings]
    assert isinstance(runtime, RuntimeSettings)
    return runtime, Process.of(runtime, [CLOCK])


def test_every_server_starts_with_the_policy_and_the_audit_of_the_values(chart: Chart, tmp_path: Path) -> None:
    objects = chart.rendered(EVERYTHING)
    servers = {name: pod for name, pod in pods_of(objects).items() if name != "kmcp-controller"}
    assert set(servers) == {"kmcp-kubernetes", "kagent-tools"}
    for name, pod in servers.items():
        runtime, process = started(pod, objects, tmp_path / name)
        assert process.policies is not None
        assert runtime.policy_contact == "the platform team"
        assert (runtime.audit, runtime.audit_file_megabytes, runtime.audit_files) == ("required", 7, 3)
        assert runtime.audit_sinks == "stderr,file,otlp"
        assert [each.name for each in (tmp_path / name / "var/log/kmcp").iterdir()] == [f"{os.uname().nodename}.log"]
        assert pod["spec"]["securityContext"]["fsGroup"] == 65532
        from_secrets = {each["secretRef"]["name"] for each in pod["spec"]["containers"][0]["envFrom"]}
        assert "collector-headers" in from_secrets
        process.refusals.close()


def test_a_policy_of_ones_own_is_mounted_by_its_name(chart: Chart) -> None:
    values = {
        "policy": {"existingConfigMap": "rules"},
        "audit": {"stderr": False, "file": {"volume": {"emptyDir": {}}}},
    }
    objects = chart.rendered(values)
    assert "kmcp-policy" not in of_kind(objects, "ConfigMap")
    pod = pods_of(objects)["kmcp-kubernetes"]["spec"]
    assert {"name": "policy", "configMap": {"name": "rules"}} in pod["volumes"]
    environment = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert environment["KMCP_POLICY"] == "/etc/kmcp/policy"
    assert environment["KMCP_AUDIT_SINKS"] == "file"


def test_a_servers_own_settings_and_volumes_stay(chart: Chart) -> None:
    own = {"volumes": [{"name": "mine", "emptyDir": {}}], "podSecurityContext": {"fsGroup": 1000}}
    kubernetes = {"values": {"KMCP_AUDIT": "false", "KMCP_POLICY_CONTACT": "me"}, "deployment": own}
    objects = chart.rendered({**EVERYTHING, "composed": {}, "servers": {"kubernetes": kubernetes}})
    pod = pods_of(objects)["kmcp-kubernetes"]["spec"]
    environment = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert (environment["KMCP_AUDIT"], environment["KMCP_POLICY_CONTACT"]) == ("false", "me")
    assert {"mine", "policy", "audit", "audit-key"} <= {each["name"] for each in pod["volumes"]}
    assert pod["securityContext"]["fsGroup"] == 1000


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            {"policy": {"files": {"a.cedar": RULES}, "existingConfigMap": "rules"}},
            "policy.files: policy.existingConfigMap is set too, and a server reads one of them; keep one",
        ),
        ({"policy": {"files": {"a.txt": RULES}}}, "a.txt"),
        ({"policy": {"files": {"a.cedar": ""}}}, "/policy/files/a.cedar"),
        ({"audit": {"stderr": False}}, "set audit.file.volume or audit.otlp.endpoint"),
        (
            {"audit": {"stderr": False, "required": True, "otlp": {"endpoint": "http://collector:4318"}}},
            "audit.required: a collector has a line only after a while; add audit.file.volume, or set audit.stderr",
        ),
        ({"audit": {"otlp": {"endpoint": "collector:4318"}}}, "/audit/otlp/endpoint"),
        ({"audit": {"file": {"volume": {"name": "x"}}}}, "/audit/file/volume"),
        ({"audit": {"file": {"volume": {"emptyDir": {}, "hostPath": {"path": "/"}}}}}, "/audit/file/volume"),
        ({"audit": {"file": {"megabytes": 0}}}, "/audit/file/megabytes"),
    ],
)
def test_values_that_would_not_work_are_refused(chart: Chart, values: Object, complaint: str) -> None:
    assert complaint in chart.refused(values)
