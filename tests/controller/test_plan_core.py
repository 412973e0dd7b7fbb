"""Row M7: what the API server would refuse of a manifest's core/v1 parts is told by `kmcp-suite plan` without one."""

from typing import Any

import pytest
import yaml

from tests.controller.manifests import manifest


def core(**deployment: Any) -> dict[str, Any]:
    return manifest({"image": "example.com/x:1", **deployment})


def _with(body: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return body | {"metadata": body["metadata"] | metadata}


SIDE: dict[str, Any] = {"name": "side", "image": "x"}
VOLUME: dict[str, Any] = {"name": "data", "emptyDir": {}}
CORE: list[tuple[dict[str, Any], str]] = [
    (core() | {"specs": {}}, 'specs: unknown key; did you mean "spec"?'),
    (_with(core(), lables={}), 'metadata.lables: unknown key; did you mean "labels"?'),
    (_with(core(), namespace="My_Space"), "metadata.namespace: is not a valid name of a namespace"),
    (_with(core(), labels={"a": "b c"}), "metadata.labels.a: is not a valid value of a label"),
    (core(labels={"team": "x" * 64}), "spec.deployment.labels.team: is not a valid value of a label"),
    (core(labels={"a b": "x"}), "spec.deployment.labels.a b: is not a valid key"),
    (core(annotations={"/x": "text"}), "spec.deployment.annotations./x: is not a valid key"),
    (core(nodeSelector={"disk": "-ssd"}), "nodeSelector.disk: is not a valid value of a label"),
    (core(env={"MÉ": "x"}), "env.MÉ: is not a valid name of a variable"),
    (core(labels={"x" * 254 + "/a": "b"}), "is not a valid key"),
    (manifest({"image": "x"}, env=[{"name": "A=B", "value": "x"}]), "extensions.env[0].name: is not a valid name"),
    (core(image="example.com/a b:1"), "spec.deployment.image: has the character ' '; remove it"),
    (core(image="Example/App"), "spec.deployment.image: is not a valid image; write host/name:tag in lower case"),
    (core(image="example.com//app"), "spec.deployment.image: is not a valid image"),
    (core(image="example.com/my-_app:1"), "spec.deployment.image: is not a valid image"),
    (core(image="app@sha256:" + "a" * 40), "spec.deployment.image: is not a valid image"),
    (core(sidecars=[SIDE | {"image": " x"}]), "sidecars[0].image: has the character ' '"),
    (core(resources={"request": {"cpu": 1}}), 'resources.request: unknown key; did you mean "requests"?'),
    (core(resources={"requests": {"cpu": "1 core"}}), "resources.requests.cpu: is not a quantity"),
    (core(sidecars=[SIDE | {"comand": ["x"]}]), 'sidecars[0].comand: unknown key; did you mean "command"?'),
    (core(sidecars=[SIDE | {"ports": [{"containerPort": "80"}]}]), "ports[0].containerPort: must be a whole number"),
    (core(securityContext={"runAsRoot": True}), 'securityContext.runAsRoot: unknown key; did you mean "runAs'),
    (core(podSecurityContext={"fsGroup": "1"}), "podSecurityContext.fsGroup: must be a whole number"),
    (core(tolerations=[{"keys": "a"}]), 'tolerations[0].keys: unknown key; did you mean "key"?'),
    (core(affinity={"node": {}}), "affinity.node: unknown key"),
    (core(volumes=[{"name": "a", "secret": {"name": "b"}}]), "volumes[0].secret.name: unknown key"),
    (core(volumes=[{"name": "a", "hostPath": {}}]), "volumes[0].hostPath.path: required; set it"),
    (manifest({"image": "x"}, probes={"liveness": {"httpget": {}}}), 'liveness.httpget: unknown key; did you mean "ht'),
    (core(volumeMounts=[{"name": "data", "mountPath": "/d"}]), "volumeMounts[0].name: data is not one of"),
    (core(volumes=[VOLUME], volumeMounts=[{"name": "data"}]), "volumeMounts[0].mountPath: required; set it"),
    (
        core(volumes=[VOLUME], volumeMounts=[{"name": "data", "mountPath": "/d"}] * 2),
        "volumeMounts[1].mountPath: /d is there twice; keep one",
    ),
    (core(sidecars=[SIDE | {"env": [{"name": "A"}] * 2}]), "sidecars[0].env[1].name: A is there twice; keep one"),
    (core(volumes=[VOLUME, VOLUME]), "volumes: data is used twice; rename one"),
]


@pytest.mark.parametrize(("body", "expected"), CORE)
def test_M7_what_the_api_server_would_refuse_is_told_offline(body: dict[str, Any], expected: str, tell: Any) -> None:
    told = tell(yaml.safe_dump(body))
    assert (told.code, told.out) == (1, "")
    assert [expected in line for line in told.lines] == [True], told.lines


def test_M7_the_annotation_is_held_to_the_same(tell: Any) -> None:
    block = "probes: {liveness: {httpget: {}}}"
    told = tell(yaml.safe_dump(_with(core(), annotations={"kmcp-suite/extensions": block})))
    assert told.has("metadata.annotations.kmcp-suite/extensions.probes.liveness.httpget: unknown key")


def test_M7_what_it_takes_passes(tell: Any) -> None:
    side = SIDE | {"env": [{"name": "a.b-C", "value": ""}], "ports": [{"containerPort": 80}], "restartPolicy": "Always"}
    secret = {"name": "keys", "secret": {"secretName": "b", "items": [{"key": "a", "path": "b", "mode": 256}]}}
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("data", "keys", "cm-settings")]
    body = core(
        image="[::1]:5000/a/b--c__d.e:V1@sha256:" + "a" * 64,
        env={"1A": "x", "MY VAR": "x"},
        labels={"example.com/team": "A_b.c", "empty": ""},
        resources={"requests": {"cpu": 1, "memory": "1.5Gi", "nvidia.com/gpu": 1}, "claims": [{"name": "a"}]},
        volumes=[VOLUME, secret],
        volumeMounts=mounts,
        configMapRefs=[{"name": "settings"}],
        sidecars=[side | {"volumeMounts": mounts[:1]}],
        tolerations=[{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
        podSecurityContext={"fsGroup": 1, "seccompProfile": {"type": "RuntimeDefault"}},
    )
    told = tell(yaml.safe_dump(body))
    assert told.code == 0, told.lines
