"""The facts in a description in plain words: names, images, numbers, hosts, key=value pairs. By patterns only."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Facts = dict[str, Any]
_PAIR = re.compile(r"""(?<![^\s,;(])([A-Za-z_][\w./-]*)=("[^"]*"|'[^']*'|[^\s,;]+)""")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
# `one` is also a pronoun: number words count only before something that can be counted.
_COUNTED = "(?:replica|pod|instance|cop|cpu|core|retr|to |and )"
_WORD = r"""["'`]?([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)["'`]?"""
# Words that may follow a keyword without being its value: `for` in "a service for web".
_FILLERS = frozenset(
    {
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "from",
        "with",
        "and",
        "or",
        "that",
        "which",
        "is",
        "it",
        "its",
        "this",
        "by",
        "as",
        "named",
        "called",
        "using",
        "port",
        "account",
        "type",
        "image",
        "replicas",
        "namespace",
        "service",
        "deployment",
        "running",
        "runs",
        "container",
        "docker",
        "my",
        "ingress",
        "new",
    }
)
# What people name without a tag and without the word "image".
_KNOWN_IMAGES = "nginx|httpd|redis|postgres|mysql|mariadb|mongo|rabbitmq|memcached|busybox|alpine|python|node|traefik"
_DIGEST = "@sha256:[0-9a-f]{64}"
_METHOD = "GET|POST|PUT|DELETE|PATCH|HEAD"
# A dotted word needs one of these endings to be a host: `nginx.conf` and `v1.27` have dots as well.
_DOMAINS = "com|org|net|io|dev|local|internal|example|test|cloud|app"
_PATTERNS: Mapping[str, Sequence[str]] = {
    # The first pattern that matches wins; a match that is a filler word does not count.
    "name": (rf"\b(?:named|called|name is|name:)\s*{_WORD}",),
    # The peer of a policy, not the namespace that the object goes to.
    "from_namespace": (rf"\bfrom (?:the )?namespace\s+{_WORD}", rf"\bfrom (?:the )?{_WORD} namespace"),
    "namespace": (rf"(?<!from )\bnamespace:?\s+{_WORD}", rf"\bin (?:the )?{_WORD} namespace"),
    "image": (
        rf"\bimages?:?\s+[\"'`]?([a-z0-9][\w./-]*(?::\d+/[\w./-]+)?(?::[\w.-]*\w)?(?:{_DIGEST})?)",
        rf"(?<![\w./:-])((?:[a-z0-9.-]+(?::\d+)?/)+[a-z0-9._-]+(?::[\w.-]*\w|{_DIGEST}))",
        # A longer bare number after the colon is a port: `web:8080`.
        r"(?<![\w./:-])([a-z][a-z0-9_-]*:(?:v?\d+\.[\w.-]*\w|v?\d{1,2}|latest|stable|alpine))(?![\w:.]\w)",
        r"\b([a-z0-9][\w./-]*) image\b",
        rf"\b({_KNOWN_IMAGES})\b",
    ),
    "replicas": (r"\b(\d+) (?:replicas?|pods|instances|copies)\b", r"\breplicas?:?\s+(\d+)"),
    "min": (
        r"\bmin(?:imum)?(?: of)?(?: replicas)?:?\s+(\d+)",
        r"\bbetween (\d+) and \d+",
        r"\b(\d+)\s*(?:-|to)\s*\d+ rep",
        r"\bat least (\d+)",
    ),
    "max": (
        r"\bmax(?:imum)?(?: of)?(?: replicas)?:?\s+(\d+)",
        r"\bbetween \d+ and (\d+)",
        r"\b\d+\s*(?:-|to)\s*(\d+) rep",
        r"\bat most (\d+)",
    ),
    "port": (
        r"(?<!target )(?<!container )\bports?:?\s+(\d{1,5})\b",
        r"(?<!\S)(\d{1,5}):\d{1,5}\b",
        r"\b(\d{1,5})/(?:tcp|udp)\b",
        r"\b(?:to|backend|service) (?:the )?[a-z][\w.-]*:(\d{1,5})\b",
    ),
    "target_port": (
        r"\b(?:target|container) ?port:?\s+(\d{1,5})\b",
        r"\bport:?\s+\d{1,5}\s*(?:to|->|→|:)\s*(\d{1,5})\b",
        r"(?<!\S)\d{1,5}:(\d{1,5})\b",
        r"\blisten(?:s|ing)? on (?:port )?(\d{1,5})\b",
    ),
    "protocol": (r"\b(udp|sctp)\b",),
    "service_type": (r"\b(node ?port|load ?balancer|cluster ?ip)\b",),
    "service": (
        rf"\bservice:?\s+(?!account){_WORD}",
        rf"\bbackend:?\s+{_WORD}",
        rf"\bto (?:the )?{_WORD}:\d+",
        rf"\bto (?:the )?{_WORD} service\b",
    ),
    "host": (
        r"\bhost(?:name)?s?:?\s+[\"'`]?(\*?[a-z0-9.-]*[a-z0-9])",
        rf"(?<![\w./:@-])((?:[a-z0-9-]+\.)+(?:{_DOMAINS}))(?![\w/:-])",
    ),
    "path": (r"\bpath(?: prefix)?:?\s+[\"'`]?(/[^\s\"'`,;]*)", r"(?<!\S)(/[a-z][\w/-]*)"),
    "schedule": (r"(?<!\S)[\"'`]?((?:[\d*][\d*/,-]*\s+){4}[\d*][\d*/,-]*)",),
    "size": (r"\b(\d+(?:\.\d+)?[KMGTP]i?)B?\b",),
    "cpu": (r"\b(\d+m|\d+(?:\.\d+)?) (?:cpus?|cores?)\b", r"\bcpus?:?\s+(\d+m|\d+(?:\.\d+)?)(?![\d.]*\s*%)\b"),
    "memory": (r"\b(\d+[KMG]i?)B? (?:of )?(?:memory|ram)\b", r"\b(?:memory|ram):?\s+(\d+[KMG]i?)"),
    "percent": (r"\b(\d{1,3}) ?(?:%|percent)",),
    "metric": (r"\b(memory) (?:utilization|usage)",),
    "target_kind": (r"\b(deployment|statefulset|rollout)\b",),
    "target": (rf"\b(?:deployment|statefulset|rollout):?\s+{_WORD}", rf"\b{_WORD} (?:deployment|statefulset)\b"),
    "class": (rf"\bclass(?:name)?:?\s+{_WORD}", rf"\b{_WORD} (?:ingress |gateway |storage )?class\b"),
    "access_mode": (r"\b(rwo|rwx|rox|ReadWriteOnce|ReadWriteMany|ReadOnlyMany)\b",),
    "account": (rf"\bservice ?account:?\s+{_WORD}",),
    "role": (rf"\b(?:cluster ?)?role:?\s+{_WORD}",),
    "role_kind": (r"\b(cluster ?role)\b(?! ?binding)",),
    "gateway": (rf"\bgateway:?\s+{_WORD}",),
    "controller": (r"\bcontroller(?: ?name)?:?\s+([\w.-]+/[\w./-]+)",),
    "policy_action": (r"\b(allow|deny|denies)(?:s|ing)?\b",),
    "mtls": (r"\b(strict|permissive|disable)d?\b",),
    # In upper case only: "get" and "delete" are also ordinary words.
    "methods": (rf"(?-i:\b((?:{_METHOD})(?:(?:, ?| and )(?:{_METHOD}))*)\b)",),
    # `500m cpu` is an amount, not minutes.
    "duration": (r"\b(\d+(?:s|m|h))\b(?! cpu)",),
    "retries": (r"\b(\d+) retries\b",),
    "url": (r"\b(https?://[^\s,;]+)",),
}
_SPELLINGS: Mapping[str, str] = {
    word.lower(): word
    for word in (
        "NodePort",
        "LoadBalancer",
        "ClusterIP",
        "ReadWriteOnce",
        "ReadWriteMany",
        "ReadOnlyMany",
        "Deployment",
        "StatefulSet",
        "Rollout",
        "ClusterRole",
    )
} | {"rwo": "ReadWriteOnce", "rwx": "ReadWriteMany", "rox": "ReadOnlyMany", "denies": "DENY"}
_SPOKEN_SCHEDULES = (
    (r"\bevery (\d+) min(?:ute)?s?\b", "*/{} * * * *"),
    (r"\bevery minute\b", "* * * * *"),
    (r"\bevery (\d+) hours?\b", "0 */{} * * *"),
    (r"\b(?:hourly|every hour)\b", "0 * * * *"),
    (r"\b(?:daily|nightly|every day|every night)\b", "0 0 * * *"),
    (r"\b(?:weekly|every week)\b", "0 0 * * 0"),
    (r"\b(?:monthly|every month)\b", "0 0 1 * *"),
)


def _spelled(text: str) -> str:
    return _SPELLINGS.get(text.replace(" ", "").lower(), text)


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("replicas", "min", "max", "port", "target_port", "percent", "retries"), int),
    # Names of objects are lower case (RFC 1123), whatever the sentence starts with.
    **dict.fromkeys(("name", "namespace", "from_namespace", "service", "target", "host", "class", "metric"), str.lower),
    **dict.fromkeys(("protocol", "mtls"), str.upper),
    **dict.fromkeys(("service_type", "access_mode", "target_kind", "role_kind"), _spelled),
    "policy_action": lambda text: _spelled(text).upper(),
    "methods": lambda text: re.findall("[A-Z]+", text),
}


def facts_of(description: str) -> Facts:
    """What the description says, by the names that skeletons use; `given_pairs` are its key=value pairs."""
    pairs = {key: value.strip("\"'") for key, value in _PAIR.findall(description)}
    # Without the pairs: otherwise `image=nginx` would also be read as a sentence.
    text = _PAIR.sub(" ", description)
    for number, word in enumerate(_NUMBERS, start=1):
        text = re.sub(rf"\b{word}(?= {_COUNTED})", str(number), text, flags=re.IGNORECASE)
    found = {name: value for name in _PATTERNS if (value := _fact(name, text)) is not None}
    found.setdefault("schedule", _spoken_schedule(text))
    if re.search(r"\bheadless\b", text, re.IGNORECASE):
        found["cluster_ip"] = "None"
    for key in [key for key in pairs if key in _PATTERNS or key == "query"]:
        found[key] = _converted(key, pairs[key])
        if found[key] is not None:
            del pairs[key]
    known = {name: value for name, value in found.items() if value is not None}
    return {**known, "given_pairs": pairs}


def _fact(name: str, text: str) -> Any:
    for pattern in _PATTERNS[name]:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            if match[1].lower() not in _FILLERS:
                return _converted(name, match[1])
    return None


def _converted(name: str, text: str) -> Any:
    try:
        return _CONVERT.get(name, str)(text)
    except ValueError:  # `port=http`: the fact has to be a number.
        return None


def _spoken_schedule(text: str) -> str | None:
    for pattern, schedule in _SPOKEN_SCHEDULES:
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            return schedule.format(*match.groups())
    return None
