"""Words of operators and words in names of metrics: what stands for the same thing."""

import re
from functools import cache

_SUFFIXES = ("ations", "ation", "ings", "ing", "ions", "ion", "ers", "er", "ed", "es", "s", "e")
_SHORT = frozenset({"s", "e"})
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+")

_SAME = (
    "latency duration time seconds milliseconds",
    "memory mem ram",
    "cpu processor cpus",
    "disk filesystem volume storage",
    "error err errs failure failed fail failures exception",
    "request req call rpc response",
    "postgres pg postgresql",
    "rabbit rabbitmq",
    "elastic elasticsearch es",
    "mongo mongodb",
    "connection conn client clients session",
    "transaction xact tx txn",
    "message msg",
    "receive rx recv incoming inbound ingress",
    "transmit tx sent send outgoing outbound egress",
    "write written",
    "drop dropped discard discarded",
    "publish published produced produce",
    "wait waiting pending queued backlog ready",
    "lag behind delay",
    "replication replica replicas slave standby",
    "expire expiry expires",
    "certificate cert certs ssl tls",
    "inflight flight active concurrent running ongoing",
    "document docs documents",
    "descriptor fd fds descriptors",
    "maximum max limit capacity",
    "usage used use",
    "available avail free",
    "database db datname databases",
    "item entry entries",
    "command cmd",
    "retry retries retried",
    "restart restarts",
    "oom oomkilled",
    "collection gc garbage",
    "rollback rolled",
    "mail email",
    "login signin logins",
    "amount sum",
    "succeed success successful",
)
LABELS = (
    "code status_code status http_status_code http_response_status_code response_code http_code grpc_code"
    " rpc_grpc_status_code",
    "endpoint route path url uri handler page http_route url_path http_path",
    "node instance host hostname machine server nodename kubernetes_node",
    "service service_name app application app_kubernetes_io_name grpc_service job",
    "database datname db schema dbname database_name db_name",
    "pod pod_name kubernetes_pod_name k8s_pod_name",
    "namespace kubernetes_namespace k8s_namespace_name exported_namespace",
    "group consumergroup consumer_group",
    "method verb http_method http_request_method grpc_method rpc_method",
    "disk device mountpoint filesystem mount",
    "volume persistentvolumeclaim pvc claim volume_name",
    "interface device nic",
    "command cmd",
    "core cpu",
    "reason cause",
    "level severity",
    "container container_name k8s_container_name",
    "target instance",
    "result outcome status",
    "exchange destination topic queue",
)
"""Labels by their own names, the ones that are asked for most often first."""


@cache
def stem(word: str) -> str:
    """The part of a word that its forms share: `messages`, `messaging`; never of fewer than four letters."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    for suffix in _SUFFIXES:
        least = 3 if suffix in _SHORT else 4
        if word.endswith(suffix) and len(word) - len(suffix) >= least and not word.endswith("ss"):
            kept = word[: -len(suffix)]
            # `dropped`, `transmitting`: the consonant is doubled before the ending.
            doubled = len(kept) > 4 - 1 and kept[-1] == kept[-2] and kept[-1] in "bdgmnprt" and suffix[0] in "ei"
            return kept[:-1] if doubled else kept
    return word


@cache
def tokens(name: str) -> tuple[str, ...]:
    """The words of a name: of snake case, camel case and dotted names."""
    return tuple(found.lower() for found in _TOKEN.findall(name))


_GROUPS = tuple(frozenset(stem(word) for word in line.split()) for line in _SAME)
_LABEL_GROUPS = tuple(tuple(line.split()) for line in LABELS)


@cache
def akin(stemmed: str) -> frozenset[str]:
    """The stems that stand for the same thing as this one, itself among them."""
    return frozenset({stemmed}).union(*(group for group in _GROUPS if stemmed in group))


def labels_for(word: str) -> list[str]:
    """Names of labels that a word may stand for, in the plain spelling with underscores."""
    wanted = {word, word.removesuffix("s"), f"{word[:-3]}y" if word.endswith("ies") else word}
    return [name for group in _LABEL_GROUPS if wanted & set(group) for name in group]
