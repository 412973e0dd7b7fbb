"""The CustomResourceDefinition of MCPServer, made from the models of `spec`.

Sub-objects of core/v1 are open: the API server checks them when the Deployment is applied. The block `extensions` is
typed but open to unknown keys: pruned, a misspelt `readOnly` would be lost without a word; kept, `spec.parse` refuses
it by name. Fields, defaults and checks outside that block are upstream's, but for `replicas`, which has no default.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kmcp_runtime import yaml_text

from .model import API_GROUP, API_VERSION, DEFAULT_PORT, KIND, Extensions, Spec

Schema = dict[str, Any]
PLURAL = "mcpservers"
FILE = Path(f"charts/kmcp/crds/{PLURAL}.{API_GROUP}.yaml")
OPEN: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
ONE_ACCOUNT = {
    "rule": "!(has(self.serviceAccount) && has(self.serviceAccountName))",
    "message": "serviceAccount and serviceAccountName are mutually exclusive",
}
_DEFAULTS = {"port": DEFAULT_PORT, "timeout": "30s", "insecureSkipVerify": False}
_ENUMS = {"transportType": ["stdio", "http"]}
# All that a structural schema takes of what pydantic writes; titles and defaults of models stay out.
_KEPT = ("type", "enum", "minimum")
# The patterns and lengths below are those of metav1.Condition, as controller-gen writes them.
_LABEL = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
_TEXTS = {
    "affinity": "Affinity of the pods.",
    "allowedNamespaces": "Namespaces whose agents may use the RemoteMCPServer.",
    "annotations": "Annotations of the pods; below serviceAccount, of the ServiceAccount.",
    "args": "Arguments of the container, or of the process behind the stdio adapter.",
    "cmd": "Command of the container; for stdio, the command that speaks MCP on its standard streams.",
    "configMapRefs": "ConfigMaps mounted read-only at /configmaps/<name>.",
    "deployment": "How the server runs.",
    "egressTo": "Where the pods may connect to, beside DNS.",
    "env": "Environment; in extensions, a list that may take values from Secrets and ConfigMaps.",
    "extensions": "What upstream's resource has no field for; the annotation kmcp-suite/extensions holds the same.",
    "headersFrom": "Headers sent by discovery and copied to the RemoteMCPServer, as that kind defines them.",
    "httpTransport": "Where an http server listens.",
    "image": "Container image; optional only where cmd is uvx or npx.",
    "imagePullPolicy": "When the image is pulled.",
    "imagePullSecrets": "Secrets with credentials of image registries.",
    "ingressFrom": "Who may connect to the pods, beside the controller.",
    "initContainer": "The init container that brings agentgateway, the stdio adapter of upstream.",
    "insecureSkipVerify": "Do not verify the certificate of the server.",
    "labels": "Labels of the pods; below serviceAccount, of the ServiceAccount.",
    "network": "A NetworkPolicy; each list that is given adds its direction.",
    "nodeSelector": "Labels that a node must have.",
    "path": "Path of the MCP endpoint; /mcp if empty.",
    "podSecurityContext": "Security context of the pods; wins over the defaults field by field.",
    "port": "Port of the Service, and of the container unless httpTransport.targetPort says otherwise.",
    "probes": "Probes that replace the default ones; {} removes one.",
    "rbac": "Rights in the namespace for what the tools need: bind (a role of the catalog), derive (its own).",
    "readOnly": "Offer only the tools that change nothing (images of the suite).",
    "remote": "A RemoteMCPServer of kagent for other namespaces.",
    "replicas": "How many pods; absent, whoever scales the Deployment decides.",
    "resources": "Resources of the container.",
    "scaling": "external: an autoscaler of another kind than HorizontalPodAutoscaler decides on replicas.",
    "secretRef": "Secret with ca.crt, tls.crt, tls.key.",
    "secretRefs": "Secrets whose keys become environment variables.",
    "security": "Level of the security defaults.",
    "securityContext": "Security context of the container; wins over the defaults field by field.",
    "serviceAccount": "Labels and annotations of the ServiceAccount that is created.",
    "serviceAccountName": "An existing ServiceAccount; none is created.",
    "sidecars": "Further containers of the pods.",
    "stdioAdapter": "What speaks HTTP for a stdio server.",
    "stdioTransport": "Takes no fields.",
    "targetPort": "Port the container listens on; absent or 0: deployment.port.",
    "timeout": "Deadline of one exchange with the server, such as 30s; from 1s to 10m.",
    "tls": "TLS of the server.",
    "tolerations": "Tolerations of the pods.",
    "tools": "Only these tools exist.",
    "transportType": "How the server speaks MCP.",
    "updateStrategy": "Strategy of the Deployment, and gracePeriodSeconds of its pods.",
    "volumeMounts": "Mounts of the container.",
    "volumes": "Volumes of the pods.",
}


def generated() -> dict[Path, str]:
    """The generated file and what it must hold."""
    text = yaml_text.write(definition(), width=120)
    return {FILE: "# Generated by `make catalog` from kmcp_controller/spec; do not edit.\n" + text}


def definition() -> Schema:
    """The CustomResourceDefinition."""
    names = {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": "mcpserver"}
    version = {
        "name": API_VERSION.partition("/")[2],
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": _root()},
    }
    spec = {
        "group": API_GROUP,
        "scope": "Namespaced",
        "names": {**names, "shortNames": ["mcps", "mcp"], "categories": ["kagent"]},
        "versions": [version],
    }
    metadata = {"name": f"{PLURAL}.{API_GROUP}"}
    kind = "CustomResourceDefinition"
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _columns() -> list[Schema]:
    ready = ".status.conditions[?(@.type=='Ready')]"
    return [
        {"name": "Ready", "type": "string", "jsonPath": f"{ready}.status"},
        {"name": "Reason", "type": "string", "jsonPath": f"{ready}.reason"},
        {"name": "Tools", "type": "integer", "jsonPath": ".status.tools.count"},
        {"name": "URL", "type": "string", "jsonPath": ".status.url", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def _root() -> Schema:
    spec = _schema(Spec.model_json_schema(), closed=True)
    spec["properties"]["extensions"] |= _schema(Extensions.model_json_schema(), closed=False)
    spec["properties"]["stdioTransport"].pop("x-kubernetes-preserve-unknown-fields")
    spec["properties"]["deployment"]["x-kubernetes-validations"] = [ONE_ACCOUNT]
    properties = {"apiVersion": _text(), "kind": _text(), "metadata": {"type": "object"}}
    about = "An MCP server, run as a Deployment behind a Service."
    return {"type": "object", "description": about, "properties": {**properties, "spec": spec, "status": _status()}}


def _schema(model: Mapping[str, Any], closed: bool) -> Schema:
    """A structural schema of a pydantic model's JSON schema."""
    definitions = model.get("$defs", {})

    def convert(given: Mapping[str, Any], name: str = "") -> Schema:
        source = _resolved(given, definitions)
        kept: Schema = {key: source[key] for key in _KEPT if key in source}
        if source["type"] == "array":
            return {**kept, "items": convert(source["items"])}
        if source["type"] == "integer":
            return {**kept, "format": "int32"}
        if source["type"] != "object":
            return {**kept, **({"enum": _ENUMS[name]} if name in _ENUMS else {})}
        # A structural schema cannot say "any object" otherwise; without this the API server prunes all of it.
        if source.get("additionalProperties") is True:
            return dict(OPEN)
        if "properties" not in source:
            return {**kept, "additionalProperties": convert(source["additionalProperties"])}
        required = {"required": source["required"]} if "required" in source else {}
        properties = {key: field(each, key) for key, each in source["properties"].items()}
        return {**(kept if closed else OPEN), **required, "properties": properties}

    def field(given: Mapping[str, Any], name: str) -> Schema:
        about = {"description": _TEXTS[name]} if name in _TEXTS else {}
        default = {"default": _DEFAULTS[name]} if name in _DEFAULTS else {}
        return about | convert(given, name) | default

    return convert(model)


def _resolved(given: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference or an optional field stands for."""
    if "anyOf" in given:
        return _resolved(next(each for each in given["anyOf"] if each.get("type") != "null"), definitions)
    if "$ref" in given:
        return _resolved(definitions[given["$ref"].rpartition("/")[2]], definitions)
    return given


def _status() -> Schema:
    conditions = {
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": _condition(),
    }
    fields = {
        "conditions": conditions,
        "observedGeneration": _number("int64"),
        "url": _text(),
        "adapter": _text(),
        "tools": _object(count=_number("int32"), hash=_text(), tokens=_number("int32")),
        "serverInfo": _object(name=_text(), version=_text(), protocolVersion=_text()),
        "extensionsHash": _text(),
    }
    return _object(**fields)


def _condition() -> Schema:
    return {
        **_object(
            type={
                "type": "string",
                "maxLength": 316,
                "pattern": f"^{_LABEL}(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
            },
            status={"type": "string", "enum": ["True", "False", "Unknown"]},
            reason={
                "type": "string",
                "minLength": 1,
                "maxLength": 1024,
                "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            },
            message={"type": "string", "maxLength": 32768},
            observedGeneration={**_number("int64"), "minimum": 0},
            lastTransitionTime={"type": "string", "format": "date-time"},
        ),
        "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    }


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _text() -> Schema:
    return {"type": "string"}


def _number(form: str) -> Schema:
    return {"type": "integer", "format": form}
