"""helm on the chart of this checkout: values in, objects or complaints out."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
CHART = Path("charts/kmcp")
SNAPSHOTS = Path(__file__).parent / "snapshots"
CATALOG_ROLES = ("-read", "-write", "-full")
SHIPPED = "-shipped-"  # in the names of the ConfigMaps that hold the catalog
VALUES: dict[str, Object] = {
    "default": {},
    "namespaced": {
        "rbac": {"namespaces": ["team-a", "team-b"]},
        "controller": {"references": {"secrets": "none"}, "appProtocol": "", "metrics": {"enabled": False}},
        "remoteMCPServers": "never",
        "discovery": {"enabled": False},
        "catalog": {"http": {"enabled": False}},
        "servers": {"kubernetes": {"rbac": "none", "deployment": {"serviceAccountName": "mine"}}},
    },
    "everything": {
        "image": {
            "repository": "registry.example.com:5000/tools/kmcp-controller",
            "tag": "1.4.0",
            "pullPolicy": "Always",
        },
        "imagePullSecrets": [{"name": "registry"}],
        "controller": {
            "replicaCount": 2,
            "metrics": {"secureServing": True, "certSecret": "metrics-certificate", "alerts": True},
            "references": {"secrets": "watch"},
            "env": [{"name": "TRANSPORT_ADAPTER_VERSION", "value": "1.0.0-musl"}],
        },
        "catalog": {"http": {"auth": "kubernetes"}, "pinning": {"allowBlock": True}},
        "catalogs": [
            "acme-catalog",
            {"url": "https://catalogs.example.com/vault.yaml", "sha256": "ab" * 32},
            {"url": "oci://registry.example.com/acme/catalog", "sha256": "cd" * 32},
        ],
        "rbac": {"serverRoles": "bind"},
        "serviceAccount": {"annotations": {"example.com/role": "tools"}},
        "podAnnotations": {"example.com/scrape": "true"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "tools", "operator": "Exists"}],
        "servers": {
            "kubernetes": {
                "rbac": "full",
                "values": {
                    "KMCP_CONTEXTS": "here",
                    "KMCP_TIMEOUT": 60,
                    "KMCP_PROBE_IMAGE": {"configMapKeyRef": {"name": "images", "key": "probe"}},
                },
                "deployment": {"replicas": 2, "resources": {"limits": {"memory": "256Mi"}}},
            }
        },
        "composed": {"enabled": True},
        "metrics": {
            "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"},
            "controllerEndpoint": {"tlsConfig": {"insecureSkipVerify": True}},
            "scrapeFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "dashboards": {"enabled": True, "annotations": {"grafana_folder": "MCP"}},
        },
        "traces": {"endpoint": "http://otel-collector.monitoring:4318", "env": {"OTEL_TRACES_SAMPLER": "always_on"}},
    },
    "edit": {
        "fullnameOverride": "tools",
        "stateSecret": "kept-elsewhere",
        "controller": {"healthProbe": {"bindAddress": ""}, "leaderElection": {"enabled": False}},
        "serviceAccount": {"create": False, "name": "given"},
        "rbac": {
            "serverRoles": "derive",
            "grantableRules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
        },
        "servers": {"kubernetes": {"rbac": "edit"}},
        "composed": {"enabled": True, "name": "all", "port": 9000},
    },
}


class HelmError(Exception):
    """What helm complained of."""


@dataclass(frozen=True)
class Chart:
    helm: Path

    def run(self, *arguments: str, **variables: str) -> str:
        command, environment = [str(self.helm), *arguments], {**os.environ, **variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HelmError(done.stdout + done.stderr)
        return done.stdout

    def rendered(self, values: Object, namespace: str = "kmcp-system", release: str = "kmcp") -> list[Object]:
        # JSON is YAML, so values need no file.
        sets = [argument for key, value in values.items() for argument in ("--set-json", f"{key}={json.dumps(value)}")]
        text = self.run("template", release, str(CHART), "--namespace", namespace, *sets)
        return [document for document in yaml.safe_load_all(text) if document]

    def refused(self, values: Object) -> str:
        try:
            self.rendered(values)
        except HelmError as error:
            return str(error)
        raise AssertionError(f"helm took {values}")


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def snapshot(objects: list[Object]) -> str:
    """The objects as text, without what is random or a copy of another generated file."""
    bound = {found["roleRef"]["name"] for found in of_kind(objects, "ClusterRoleBinding").values()}
    # A new server brings a part of the catalog, and roles that nobody here is bound to: no matter of the chart's.
    objects = [found for found in objects if not _is_catalog_role(found) or found["metadata"]["name"] in bound]
    objects = [found for found in objects if SHIPPED not in found["metadata"]["name"] or _is_kubernetes(found)]
    for found in objects:
        if found["kind"] == "Secret":
            found["data"] = dict.fromkeys(found["data"], "generated")
        if found["kind"] == "ConfigMap":
            found["data"] = dict.fromkeys(found["data"], "a copy")
        if _is_catalog_role(found):
            found["rules"] = []
        for rule in found.get("rules") or ():
            if rule["verbs"] == ["bind"]:
                rule["resourceNames"] = ["two for each server of the catalog"]
        if found["kind"] == "Deployment":
            found["spec"]["template"]["metadata"]["annotations"]["kmcp-suite/shipped-catalog"] = "a hash"
            for volume in found["spec"]["template"]["spec"]["volumes"]:
                if volume["name"] == "shipped-catalog":
                    volume["projected"]["sources"] = ["one for each server of the catalog"]
    return yaml.safe_dump_all(objects, sort_keys=False, width=120)


def _is_kubernetes(found: Object) -> bool:
    return bool(found["metadata"]["name"].endswith("kubernetes"))


def _is_catalog_role(found: Object) -> bool:
    return bool(found["kind"] == "ClusterRole" and found["metadata"]["name"].endswith(CATALOG_ROLES))
