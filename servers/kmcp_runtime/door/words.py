"""Words of questions and of tools: how they are cut, and which mean the same to who operates a cluster."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"[A-Za-z0-9]+")
_HUMPS = re.compile(r"[A-Z]+[a-z0-9]+")
_NOISE = """
a an and any are as at be been by can could did do does for from get had has have how i if in is it its me my of
on or our out over please should so than that the their them then there these this to tool up us was were what
when where which who why will with would you your all own itself into through
"""
_EMPTY = frozenset(_NOISE.split())
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ers", "ied", "ed", "er", "es", "s", "e", "y")
_DOUBLING = ("ing", "ings", "ed", "er", "ers")
_SHORT = 4
_SINGULAR = frozenset({"mtls", "ipvs", "https"})
_SAME = """
kubernetes k8s kubectl
delete remove drop uninstall kill destroy erase
create add make new
change edit modify update set patch
show display view print read see
list find which
restart rollout bounce
undo revert rollback back
logs log output stdout
crash crashloopbackoff failing broken previous
events warnings happened recently recent why
deploy apply
run replicas pods
objects resource pod namespace node deployment ingress cronjob job configmap service
mean meaning metadata describe
rate query range
last day range over
error fault mistake problem wrong warning
yaml manifest
render write draft generate template
exec command shell run
replicas scale copies more fewer
cpu memory usage top load consumption
allowed permission rights rbac can access
connect connection reach connectivity port test
release chart helm
canary rollout
promote continue skip
abort cancel
encrypted encryption ipsec wireguard
policy policies networkpolicy
flows packets traffic dropped hubble
capture pcap record recorder
block deny
waypoint ambient
sidecar envoy proxy
sync synced lag
mesh clustermesh
metric metrics series
graph range trend
scrape target
firing alert alerts
silence mute contact notification
cardinality tsdb
datasource source
organisation organization org
link deeplink url
time clock date
documentation docs manual guide
contexts context kubeconfig
kinds types resources api
field fields explain spec
health healthy status state
version versions
history revisions
pause hold freeze halt suspend stop
snapshot backup copy
join joined connect remote link
dump sysdump debug debugging support
progressive delivery deliveries rollout canary
counter gauge histogram metadata
autoscaling hpa autoscaler scale
istiod control plane
resolve lookup look dns
replay wal
database tsdb
invite user member
panel dashboard
newest current synced latest
stuck hanging waiting progress
claims pvc persistentvolumeclaim volume volumes
evicted eviction
spec explain
image tag
dns fqdn
identity identities
enable disable toggle turn
off cut disconnect
member members user
"""


# Names of one thing, the usual one first: whoever says one means what a tool calls by another.
_NAMES = """
annotation anno annotations
authentication authn
authorization authz
certificate cert certs tls
command cmd
configuration config configs configure configured cfg conf
configmap cm
container ctr
cronjob cj
customresourcedefinition crd crds
daemonset ds
database db
datasource datasources
delivery deliveries
deployment deploy deployed deployments
documentation docs doc documented documents
encryption encrypted encrypt encrypts
endpoint ep
environment env
identity identities
installation installed install installs
kubernetes k8s kube
latency slow slowness
memory mem ram
message msg
namespace ns
network networking net
networkpolicy netpol
operation op ops
organisation organization org orgs
parameter param params
permission perm perms permitted
persistentvolumeclaim pvc
persistentvolume pv
policy policies pol
prometheus prom
repository repo repos repositories
replicaset rs
resource res
rollback rollbacks
secret creds credentials
service svc
serviceaccount sa
statefulset sts
synced sync syncs synchronised synchronized
usage use used uses using utilization utilisation
version ver versions
virtualservice vs
"""


def words(text: str) -> Iterator[str]:
    """The words of a text that tell something, by their stems."""
    for word in split(text):
        if not is_empty(word):
            yield stem(word)


def split(text: str) -> list[str]:
    """The words of a text in their order, in small letters."""
    return [word.lower() for found in _WORD.findall(text) for word in _parts(found)]


def _parts(word: str) -> list[str]:
    """The word, and the words that it is made of where capitals show them (`PodDisruptionBudget`)."""
    parts = _HUMPS.findall(word)
    return [word, *parts] if len(parts) > 1 else [word]


def is_empty(word: str) -> bool:
    """Whether a word tells nothing of what somebody wants."""
    return word in _EMPTY


def stem(word: str) -> str:
    """The word without its ending, four letters of it at least; the usual one where several names mean the same."""
    return _ALIKE.get(root := _root(word), root)


def _root(word: str) -> str:
    if len(word) == _SHORT and word.endswith("s") and word not in _SINGULAR and word[-2] not in "aisu":
        return word[:-1]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORT:
            root = word[: -len(ending)]
            # `dropped` and `drop`; but `call`, `pass`.
            doubled = ending in _DOUBLING and root[-1] == root[-2] and root[-1] not in "lsz"
            return root[:-1] if doubled else root
    return word


def _one_name() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _NAMES.strip().splitlines():
        usual, *others = map(_root, line.split())
        found.update(dict.fromkeys(others, usual))
    return found


def _synonyms() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _SAME.split("\n"):
        group = {stem(word) for word in line.split()}
        for word in group:
            found.setdefault(word, set()).update(group - {word})
    return {word: frozenset(others) for word, others in found.items()}


_ALIKE = _one_name()
SYNONYMS = _synonyms()
"""Stems that mean nearly the same, by stem."""
