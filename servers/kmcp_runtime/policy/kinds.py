"""The kinds that every cluster has, by the names that callers give them: for a look at a policy without a cluster."""

_CORE = {
    "pods": "po",
    "services": "svc",
    "secrets": "",
    "configmaps": "cm",
    "namespaces": "ns",
    "nodes": "no",
    "events": "ev",
    "endpoints": "ep",
    "serviceaccounts": "sa",
    "persistentvolumes": "pv",
    "persistentvolumeclaims": "pvc",
    "resourcequotas": "quota",
    "limitranges": "limits",
    "replicationcontrollers": "rc",
}
_GROUPS = {
    "apps": {"deployments": "deploy", "statefulsets": "sts", "daemonsets": "ds", "replicasets": "rs"},
    "batch": {"jobs": "", "cronjobs": "cj"},
    "autoscaling": {"horizontalpodautoscalers": "hpa"},
    "policy": {"poddisruptionbudgets": "pdb"},
    "networking.k8s.io": {"ingresses": "ing", "networkpolicies": "netpol", "ingressclasses": ""},
    "rbac.authorization.k8s.io": {"roles": "", "rolebindings": "", "clusterroles": "", "clusterrolebindings": ""},
    "storage.k8s.io": {"storageclasses": "sc"},
    "apiextensions.k8s.io": {"customresourcedefinitions": "crd"},
    "argoproj.io": {"rollouts": "ro"},
}


def known_kind(named: str) -> tuple[str, str] | None:
    """Group and plural of plural, singular, short name or `plural.group`; None for what only a cluster knows."""
    return _KNOWN.get(named.strip().lower())


def _names() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for group, kinds in {"": _CORE, **_GROUPS}.items():
        for plural, short in kinds.items():
            names = (plural, _singular(plural), short, f"{plural}.{group}" if group else "")
            found |= {name: (group, plural) for name in names if name}
    return found


def _singular(plural: str) -> str:
    for ending, instead in (
        ("policies", "policy"),
        ("classes", "class"),
        ("resses", "ress"),
        ("endpoints", "endpoints"),
    ):
        if plural.endswith(ending):
            return plural.removesuffix(ending) + instead
    return plural.removesuffix("s")


_KNOWN = _names()
