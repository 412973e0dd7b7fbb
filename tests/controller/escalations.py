"""What a tenant who may only write MCPServers tries, and what he is told (D10)."""

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Escalation:
    """One try: an MCPServer that asks for more than its author has."""

    deployment: Object = field(default_factory=dict)
    extensions: Object = field(default_factory=dict)
    annotation: str = ""
    spec: Object = field(default_factory=dict)
    said: str = "you may not create pods in namespace"
    """Of the API server's answer to the tenant."""
    edit: bool = True
    """Whether the built-in role edit may do the same by itself."""
    known: bool = True
    """Whether the controller refuses it of an author whom nobody asked."""

    def manifest(self, name: str, namespace: str) -> Object:
        annotations = {"kmcp-suite/extensions": self.annotation} if self.annotation else {}
        spec = {
            "transportType": "http",
            **self.spec,
            "deployment": {"image": "registry.example.com/a", **self.deployment},
        }
        if self.extensions:
            spec["extensions"] = self.extensions
        metadata = {"name": name, "namespace": namespace, "annotations": annotations}
        return {"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "metadata": metadata, "spec": spec}


def sidecar(**fields: Any) -> Escalation:
    return Escalation({"sidecars": [{"name": "s", "image": "registry.example.com/s", **fields}]})


def reading(**where: Any) -> Escalation:
    """Of a Secret that the tenant may not read; whoever reads the namespace's Secrets may refer to them."""
    return Escalation(**where, said="refers to Secret others, which you may not read", known=False)


def volume(**source: Any) -> Escalation:
    return Escalation({"volumes": [{"name": "v", **source}]})


_KEY = {"name": "others", "key": "password"}
_TERM = {"matchExpressions": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}
_NAMED = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["master"]}]}

ESCALATIONS: dict[str, Escalation] = {
    "privileged": Escalation({"securityContext": {"privileged": True, "allowPrivilegeEscalation": True}}),
    "capabilities": Escalation({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
    "unmasked proc": Escalation({"securityContext": {"procMount": "Unmasked"}}),
    "no seccomp": Escalation({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
    "no seccomp of the pod": Escalation({"podSecurityContext": {"seccompProfile": {"type": "Unconfined"}}}),
    "no AppArmor": Escalation({"podSecurityContext": {"appArmorProfile": {"type": "Unconfined"}}}),
    "SELinux": Escalation({"podSecurityContext": {"seLinuxOptions": {"type": "spc_t"}}}),
    "sysctls": Escalation({"podSecurityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}),
    "host process": Escalation({"podSecurityContext": {"windowsOptions": {"hostProcess": True}}}),
    "privileged init container": Escalation(
        {"cmd": "x", "initContainer": {"image": "i", "securityContext": {"privileged": True}}},
        spec={"transportType": "stdio"},
    ),
    "privileged sidecar": sidecar(securityContext={"privileged": True}),
    "host port": sidecar(ports=[{"containerPort": 80, "hostPort": 80}]),
    "device": sidecar(volumeDevices=[{"name": "v", "devicePath": "/dev/sda"}]),
    "probe of another host": sidecar(livenessProbe={"httpGet": {"host": "169.254.169.254", "port": 80}}),
    "hook to another host": sidecar(lifecycle={"postStart": {"tcpSocket": {"host": "10.0.0.1", "port": 22}}}),
    "own probe of another host": Escalation(
        extensions={"probes": {"readiness": {"httpGet": {"host": "169.254.169.254", "port": 80}}}}
    ),
    "host path": volume(hostPath={"path": "/"}),
    "claim of others": volume(persistentVolumeClaim={"claimName": "others"}),
    "CSI volume": volume(csi={"driver": "secrets-store.csi.k8s.io"}),
    "NFS": volume(nfs={"server": "10.0.0.1", "path": "/"}),
    "foreign ServiceAccount": Escalation({"serviceAccountName": "others"}, said="ServiceAccount others is not yours"),
    "default ServiceAccount": Escalation({"serviceAccountName": "default"}, said="ServiceAccount default is not yours"),
    "identity in a cloud": Escalation({"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:x"}}}),
    "identity of a node's proxy": Escalation({"annotations": {"iam.amazonaws.com/role": "admin"}}),
    "all taints": Escalation({"tolerations": [{"operator": "Exists"}]}),
    "control plane": Escalation(
        {"tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}
    ),
    "nodes by role": Escalation({"nodeSelector": {"node-role.kubernetes.io/control-plane": ""}}),
    "nodes by affinity": Escalation(
        {
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_TERM]}}
            }
        }
    ),
    "nodes by name": Escalation(
        {
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": _NAMED}]
                }
            }
        }
    ),
    "pods of another Service": Escalation({"labels": {"app": "payments"}}, known=False),
    "Secret as environment": reading(deployment={"secretRefs": [{"name": "others"}]}),
    "Secret after seven": Escalation(
        {"secretRefs": [{"name": "mine"}] * 7 + [{"name": "others"}]},
        said="refers to Secret others, which you may not read",
        known=False,
    ),
    "more Secrets than are asked for": Escalation(
        {"secretRefs": [{"name": "mine"}] * 9}, said="refers to more than 8 Secrets", known=False
    ),
    "Secret as variable": reading(extensions={"env": [{"name": "A", "valueFrom": {"secretKeyRef": _KEY}}]}),
    "Secret as volume": reading(deployment={"volumes": [{"name": "v", "secret": {"secretName": "others"}}]}),
    "Secret as projected volume": reading(
        deployment={"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "others"}}]}}]}
    ),
    "Secret of a sidecar": reading(
        deployment={"sidecars": [{"name": "s", "env": [{"name": "A", "valueFrom": {"secretKeyRef": _KEY}}]}]}
    ),
    "Secret as a sidecar's environment": reading(
        deployment={"sidecars": [{"name": "s", "envFrom": [{"secretRef": {"name": "others"}}]}]}
    ),
    "pull secret": reading(deployment={"imagePullSecrets": [{"name": "others"}]}),
    "certificate": reading(spec={"httpTransport": {"tls": {"secretRef": "others"}}}),
    "Secret by annotation": Escalation(
        annotation="env: [{name: A, valueFrom: {secretKeyRef: {name: others, key: password}}}]",
        said="holds more than readOnly, tools, security and stdioAdapter",
        known=False,
    ),
    "Secret from a place that is new": Escalation(
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        extensions={"env": [{"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}]},
        said="a field whose meaning is not known here",
        known=False,
    ),
    "ConfigMap": Escalation(
        {"configMapRefs": [{"name": "others"}]}, said="refers to ConfigMap others, which you may not read", known=False
    ),
    "hole in a default deny": Escalation(
        extensions={"network": {"egressTo": [{}]}}, said="you may not create NetworkPolicies", known=False
    ),
    "RemoteMCPServer": Escalation(
        extensions={"remote": {"enabled": True}}, said="you may not create RemoteMCPServers", edit=False, known=False
    ),
    "rights": Escalation(extensions={"rbac": "bind"}, said="you may not bind ClusterRoles", edit=False, known=False),
    "rights by annotation, written otherwise": Escalation(
        annotation='"r\\u0062ac": bind', said="you may not create NetworkPolicies", edit=False, known=False
    ),
}
"""`known`: rights are refused by the platform's own value before, in the tests of the controller."""

ALLOWED: dict[str, Escalation] = {
    "nothing": Escalation(),
    "what is his": Escalation({"secretRefs": [{"name": "mine"}], "configMapRefs": [{"name": "mine"}]}),
    "an account of his": Escalation({"serviceAccountName": "mine"}),
    "a hardened pod": Escalation(
        {
            "securityContext": {"privileged": False, "runAsUser": 1000, "capabilities": {"drop": ["ALL"]}},
            "podSecurityContext": {"runAsNonRoot": True, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "labels": {"app.kubernetes.io/part-of": "team"},
            "annotations": {"prometheus.io/scrape": "true"},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "volumes": [{"name": "v", "emptyDir": {}}],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "sidecars": [
                {"name": "s", "image": "i", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "b"}]}
            ],
            "tolerations": [
                {
                    "key": "node.kubernetes.io/not-ready",
                    "effect": "NoExecute",
                    "operator": "Exists",
                    "tolerationSeconds": 9,
                }
            ],
        },
        extensions={"env": [{"name": "A", "value": "b"}], "scaling": "external", "probes": {"liveness": {}}},
    ),
    "a short annotation": Escalation(annotation="security: restricted\nstdioAdapter: bridge\n"),
}
