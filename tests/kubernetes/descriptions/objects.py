"""One object of each kind with as many fields as `kubectl describe` has lines; `{ns}` is the namespace."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
LABELS = {"app": "web", "tier": "front"}
_POD: Object = {
    "serviceAccountName": "robot",
    "nodeSelector": {"disk": "ssd"},
    "schedulerName": "nobody",
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "db", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["north"]}]}]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 50, "preference": {"matchExpressions": [{"key": "gpu-of-it", "operator": "Exists"}]}}
            ],
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"labelSelector": {"matchLabels": {"app": "noisy"}}, "topologyKey": "kubernetes.io/hostname"}
            ]
        },
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": LABELS},
        }
    ],
    "initContainers": [{"name": "setup", "image": "setup.example/app:2", "command": ["prepare"]}],
    "containers": [
        {
            "name": "main",
            "image": "main.example/app:1",
            "command": ["/bin/sh", "-c"],
            "args": ["serve --all"],
            "ports": [{"name": "http", "containerPort": 8080}],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "32Mi"}},
            "livenessProbe": {
                "httpGet": {"path": "/alive", "port": "http", "scheme": "HTTPS"},
                "periodSeconds": 7,
                "initialDelaySeconds": 41,
            },
            "readinessProbe": {"tcpSocket": {"port": 8080, "host": "other.example"}, "successThreshold": 2},
            "startupProbe": {"exec": {"command": ["cat", "/started"]}, "failureThreshold": 9},
            "env": [
                {"name": "MODE", "value": "fast"},
                {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                {"name": "CORES", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "LATER", "valueFrom": {"secretKeyRef": {"name": "later", "key": "one", "optional": True}}},
            ],
            "envFrom": [{"prefix": "P_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}],
            "volumeMounts": [
                {"name": "conf", "mountPath": "/conf", "readOnly": True},
                {"name": "data", "mountPath": "/data", "subPath": "sub"},
            ],
        }
    ],
    "volumes": [
        {"name": "conf", "configMap": {"name": "settings", "optional": True}},
        {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        {"name": "host", "hostPath": {"path": "/var/lib/x", "type": "DirectoryOrCreate"}},
        {"name": "share", "nfs": {"server": "files.example", "path": "/exports/of-it", "readOnly": True}},
        {
            "name": "driver",
            "csi": {
                "driver": "vault.csi.example",
                "readOnly": True,
                "volumeAttributes": {"providerClass": "class-of-it"},
                "nodePublishSecretRef": {"name": "publishing"},
            },
        },
        {"name": "picture", "image": {"reference": "pictures.example/one:3", "pullPolicy": "IfNotPresent"}},
        {
            "name": "block",
            "iscsi": {"targetPortal": "10.0.9.9:3260", "iqn": "iqn.2001-04.com.example:it", "lun": 47},
        },
        {
            "name": "merged",
            "projected": {
                "sources": [
                    {"secret": {"name": "maybe-there", "optional": True}},
                    {"serviceAccountToken": {"path": "token", "audience": "vault-of-it"}},
                ]
            },
        },
        {
            "name": "fleeting",
            "ephemeral": {
                "volumeClaimTemplate": {
                    "spec": {
                        "accessModes": ["ReadWriteOncePod"],
                        "storageClassName": "brief",
                        "resources": {"requests": {"storage": "5Gi"}},
                    }
                }
            },
        },
    ],
}
_DATA: Object = {"name": "data", "persistentVolumeClaim": {"claimName": "files", "readOnly": True}}


def _meta(name: str) -> Object:
    return {"name": name, "namespace": "{ns}", "labels": LABELS, "annotations": {"note": "worth-reading"}}


def _template(**spec: Any) -> Object:
    content = {**_POD, **spec}
    return {"metadata": {"labels": LABELS, "annotations": {"scrape": "yes-please"}}, "spec": content}


_WITH_DATA = _template(volumes=[*_POD["volumes"], _DATA])
_JOB: Object = {
    "suspend": True,
    "parallelism": 2,
    "completions": 4,
    "completionMode": "Indexed",
    "backoffLimit": 5,
    "activeDeadlineSeconds": 77,
    "ttlSecondsAfterFinished": 88,
    "template": _template(restartPolicy="Never", volumes=[*_POD["volumes"], _DATA]),
}
_BACKEND = {"service": {"name": "web", "port": {"name": "http"}}}
OBJECTS: Mapping[str, tuple[str, Object]] = {
    # With labels of its own, so that no controller adopts it.
    "Pod": (
        "v1",
        {
            "metadata": {**_meta("alone"), "labels": {"role": "lonely"}},
            "spec": {
                **_WITH_DATA["spec"],
                "readinessGates": [{"conditionType": "gates.example/open"}],
                "resources": {"requests": {"memory": "71Mi"}, "limits": {"memory": "72Mi"}},
            },
        },
    ),
    "Deployment": (
        "apps/v1",
        {
            "metadata": _meta("web"),
            "spec": {
                "replicas": 2,
                "minReadySeconds": 3,
                "selector": {"matchLabels": LABELS},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}},
                "template": _WITH_DATA,
            },
        },
    ),
    "StatefulSet": (
        "apps/v1",
        {
            "metadata": _meta("store"),
            "spec": {
                "serviceName": "store",
                "replicas": 1,
                "selector": {"matchLabels": LABELS},
                "template": _template(),
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "data"},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "storageClassName": "slow",
                            "resources": {"requests": {"storage": "3Gi"}},
                        },
                    }
                ],
            },
        },
    ),
    "DaemonSet": (
        "apps/v1",
        {"metadata": _meta("agent"), "spec": {"selector": {"matchLabels": LABELS}, "template": _WITH_DATA}},
    ),
    "Job": ("batch/v1", {"metadata": _meta("once"), "spec": _JOB}),
    "CronJob": (
        "batch/v1",
        {
            "metadata": _meta("often"),
            "spec": {
                "schedule": "30 9 * * 1-5",
                "timeZone": "Europe/Berlin",
                "suspend": True,
                "startingDeadlineSeconds": 66,
                "successfulJobsHistoryLimit": 4,
                "failedJobsHistoryLimit": 2,
                "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": {key: value for key, value in _JOB.items() if key != "suspend"}},
            },
        },
    ),
    "Service": (
        "v1",
        {
            "metadata": _meta("web"),
            "spec": {
                "type": "NodePort",
                "selector": {"app": "listed"},
                "sessionAffinity": "ClientIP",
                "ports": [
                    {"name": "http", "port": 80, "targetPort": 8080},
                    {"name": "admin", "port": 81, "targetPort": 9090},
                ],
            },
        },
    ),
    "EndpointSlice": (
        "discovery.k8s.io/v1",
        {
            "metadata": {"name": "web-1", "namespace": "{ns}", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.9.8.7"], "conditions": {"ready": True}, "nodeName": "node-of-it"}],
            "ports": [{"name": "http", "port": 8080}, {"name": "admin", "port": 9090}],
        },
    ),
    "Ingress": (
        "networking.k8s.io/v1",
        {
            "metadata": _meta("entry"),
            "spec": {
                "ingressClassName": "public",
                "tls": [{"hosts": ["shop.example.com"], "secretName": "certificate-of-shop"}],
                "defaultBackend": {"service": {"name": "web", "port": {"number": 81}}},
                "rules": [
                    {
                        "host": "shop.example.com",
                        "http": {"paths": [{"path": "/buy", "pathType": "Prefix", "backend": _BACKEND}]},
                    }
                ],
            },
        },
    ),
    "NetworkPolicy": (
        "networking.k8s.io/v1",
        {
            "metadata": _meta("gate"),
            "spec": {
                "podSelector": {"matchLabels": LABELS},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [
                    {
                        "from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}],
                        "ports": [{"port": 8080, "protocol": "TCP"}],
                    }
                ],
                "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
            },
        },
    ),
    "HorizontalPodAutoscaler": (
        "autoscaling/v2",
        {
            "metadata": _meta("scaler"),
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 2,
                "maxReplicas": 9,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 65}},
                    },
                    {
                        "type": "Pods",
                        "pods": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "7"}},
                    },
                ],
            },
        },
    ),
    "PodDisruptionBudget": (
        "policy/v1",
        {"metadata": _meta("keep"), "spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}},
    ),
    "PersistentVolumeClaim": (
        "v1",
        {
            "metadata": _meta("files"),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "slow",
                "resources": {"requests": {"storage": "2Gi"}},
            },
        },
    ),
    "ConfigMap": ("v1", {"metadata": _meta("settings"), "data": {"colour": "teal"}}),
    "Secret": ("v1", {"metadata": _meta("keys"), "type": "Opaque", "stringData": {"one": "value-of-one"}}),
    "ServiceAccount": ("v1", {"metadata": _meta("robot"), "imagePullSecrets": [{"name": "registry-access"}]}),
    "Role": (
        "rbac.authorization.k8s.io/v1",
        {
            "metadata": _meta("reader"),
            "rules": [
                {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"], "verbs": ["get"]}
            ],
        },
    ),
    "RoleBinding": (
        "rbac.authorization.k8s.io/v1",
        {
            "metadata": _meta("robot-reads"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "{ns}"}],
        },
    ),
    "ResourceQuota": ("v1", {"metadata": _meta("most"), "spec": {"hard": {"services": "44", "configmaps": "55"}}}),
    "LimitRange": (
        "v1",
        {
            "metadata": _meta("bounds"),
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {"memory": "111Mi"},
                        "defaultRequest": {"memory": "22Mi"},
                        "max": {"memory": "333Mi"},
                    }
                ]
            },
        },
    ),
}
"""By kind. What others need (quotas, bounds, accounts, claims) is made first, see `IN_ORDER`."""
IN_ORDER = (*list(OBJECTS)[-9:], *list(OBJECTS)[:-9])
AROUND: Mapping[str, tuple[str, ...]] = {
    "Pod": ("Burstable", "Pending"),
    "Service": ("10.9.8.7:8080", "10.9.8.7:9090"),
    "Ingress": ("10.9.8.7:8080", "10.9.8.7:9090"),
    "PersistentVolumeClaim": ("alone", "Pending"),
    "Deployment": ("MinimumReplicasUnavailable", "ReplicaSetUpdated"),
    "Namespace": ("most", "44", "55", "111Mi", "22Mi", "333Mi", "Active"),
}
"""What kubectl reads from other objects, or from the status, and we have to show as well."""
OURS: Mapping[str, tuple[str, ...]] = {
    "ServiceAccount": ("robot-reads",),
    "StatefulSet": ("data-store-0",),
    "Pod": ("files", "north", "gpu-of-it", "noisy"),
    "Deployment": ("north", "gpu-of-it", "noisy"),
    "Ingress": ("public",),
}
"""What kubectl does not read at all."""
DEPARTS: Mapping[tuple[str, str], str] = {
    ("ConfigMap", "teal"): "keys and sizes in `details.keys[]`; values by `k8s_get_resource_yaml`",
}
"""What kubectl shows and we do not, and what to do instead."""
NAMES: Mapping[str, str] = {kind: str(body["metadata"]["name"]) for kind, (_, body) in OBJECTS.items()}
