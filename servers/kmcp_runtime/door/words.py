"""Words of questions and of tools: how they are cut, and which mean the same to who operates a cluster."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"[a-z0-9]+")
_NOISE = """
a an and any are as at be been by can could did do does for from get had has have how i if in is it its me my of
on or our out over please should so than that the their them then there these this to tool up us was were what
when where which who why will with would you your all own itself into through
"""
_EMPTY = frozenset(_NOISE.split())
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ers", "ed", "es", "s", "e", "y")
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


def words(text: str) -> Iterator[str]:
    """The words of a text that tell something, by their stems."""
    for word in _WORD.findall(text.lower()):
        if word not in _EMPTY:
            yield stem(word)


def stem(word: str) -> str:
    """The word without its ending; four letters always stay."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _synonyms() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _SAME.split("\n"):
        group = {stem(word) for word in line.split()}
        for word in group:
            found.setdefault(word, set()).update(group - {word})
    return {word: frozenset(others) for word, others in found.items()}


SYNONYMS = _synonyms()
"""Stems that mean nearly the same, by stem."""
