"""Rollouts for tests to act on."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.argo.install import SLEEPER

API = "argoproj.io/v1alpha1"
Object = dict[str, Any]


def rollouts_path(namespace: str, name: str = "", plural: str = "rollouts") -> str:
    return f"/apis/{API}/namespaces/{namespace}/{plural}/{name}".rstrip("/")


def template(name: str, version: str = "1") -> Object:
    container = {
        "name": "main",
        "image": f"{SLEEPER}:{version}",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/busybox", "sleep", "3600"],
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"metadata": {"labels": {"app": name}}, "spec": spec}


def rollout(name: str, strategy: Mapping[str, Any], replicas: int = 2) -> Object:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": template(name),
        "strategy": dict(strategy),
    }
    return {"apiVersion": API, "kind": "Rollout", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def canary(*steps: Mapping[str, Any]) -> Object:
    return {"canary": {"steps": [dict(step) for step in steps]}}


def analysis(name: str, command: Sequence[str]) -> Object:
    """An AnalysisTemplate whose one metric is a Job."""
    container = {"name": "main", "image": f"{SLEEPER}:1", "imagePullPolicy": "IfNotPresent", "command": list(command)}
    pod = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    metric = {"name": "works", "provider": {"job": {"spec": {"backoffLimit": 0, "template": pod}}}}
    return {"apiVersion": API, "kind": "AnalysisTemplate", "metadata": {"name": name}, "spec": {"metrics": [metric]}}


def experiment(name: str, duration: str) -> Object:
    one = {"name": "one", "selector": {"matchLabels": {"app": name}}, "template": template(name)}
    return {
        "apiVersion": API,
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {"duration": duration, "templates": [one]},
    }


def service(name: str) -> Object:
    spec = {"selector": {"app": name.partition("-")[0]}, "ports": [{"port": 80}]}
    return {"metadata": {"name": name}, "spec": spec}
