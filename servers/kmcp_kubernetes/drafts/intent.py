"""The facts in a description in plain words: names, images, numbers, hosts, key=value pairs. By patterns only."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kmcp_kubernetes.drafts.amounts import amounts_of, amounts_of_pairs
from kmcp_kubernetes.drafts.images import image_of
from kmcp_kubernetes.drafts.schedules import schedule_of

Facts = dict[str, Any]
_PAIR = re.compile(r"""(?<![^\s,;(])([A-Za-z_][\w./-]*)=("[^"]*"|'[^']*'|[^\s,;]+)""")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
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
_METHOD = "GET|POST|PUT|DELETE|PATCH|HEAD"
# A dotted word needs one of these endings to be a host: `nginx.conf` and `v1.27` have dots as well.
_DOMAINS = "com|org|net|io|dev|local|internal|example|test|cloud|app"
_PATTERNS: Mapping[str, Sequence[str]] = {
    # The first pattern that matches wins; a match that is a filler word does not count.
    "name": (rf"\b(?:named|called|name is|name:)\s*{_WORD}",),
    # The peer of a policy, not the namespace that the object goes to.
    "from_namespace": (rf"\bfrom (?:the )?namespace\s+{_WORD}", rf"\bfrom (?:the )?{_WORD} namespace"),
    "namespace": (rf"(?<!from )\bnamespace:?\s+{_WORD}", rf"\bin (?:the )?{_WORD} namespace"),
    "replicas": (
        # With one word between, `3 nginx pods`, which may not begin another part of the sentence.
        r"(?<!port )(?<!ports )(?<![\w.:/-])(\d+) (?:(?!(?:for|with|and|in|on|to|of|as|by|at|the|an?)\b)[a-z-]+ )?"
        r"(?:replicas?|pods|instances|copies)\b",
        r"\breplicas?(?: count)?(?::| of| to| =)?\s+(\d+)",
        r"\bscaled? (?:it )?to (\d+)\b",
    ),
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
        r"\bexpos(?:e|es|ed|ing)(?: it)? (?:on )?(\d{1,5})\b(?! (?:replicas?|pods))",
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
    "size": (r"\b(\d+(?:\.\d+)?[KMGTP]i?)B?\b",),
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
    "command": (
        r"\bcommand:?\s+[`\"']([^`\"']+)[`\"']",
        r"\b(?:runs?|running|executes?) (?:the command )?`([^`]+)`",
        r"\b(?:runs?|running|executes?) (?:the (?:script|command) )?(/[\w./-]+(?: -[\w-]+)*)",
    ),
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
# `env LOG_LEVEL set to debug`, `environment variable a is b`; pairs with `=` are read before.
_SET_TO = re.compile(
    r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+|(?<=variable )\w+|(?<=env )\w+|(?<=var )\w+)"
    r"""\s+(?:set to|equal to|equals|is|to)\s+("[^"]*"|'[^']*'|[^\s,;]+)"""
)
_ENV_PAIRS = re.compile(
    rf"\benv(?:ironment)?(?: variables?| vars?)?:?\s+((?:{_PAIR.pattern}[\s,]*(?:and\s+)?)+)", re.IGNORECASE
)
_PORTS = re.compile(
    # Not the number of what follows: `ports 80 and 443, 2 replicas`.
    r"\bports:?\s+(\d{1,5}(?:\s*(?:,\s*and|,|and|&)\s*\d{1,5}\b"
    r"(?!\.\d|\s*(?:[a-z-]+ )?(?:replicas?|pods?|instances?|copies|v?cpus?|cores?|[mgk]i?b?)\b))+)",
    re.IGNORECASE,
)
_SHELL = re.compile(r"[|&;<>`$*]")


def _spelled(text: str) -> str:
    return _SPELLINGS.get(text.replace(" ", "").lower(), text)


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("replicas", "min", "max", "port", "target_port", "percent", "retries"), int),
    # Names of objects are lower case (RFC 1123), whatever the sentence starts with.
    **dict.fromkeys(("name", "namespace", "from_namespace", "service", "target", "host", "class", "metric"), str.lower),
    **dict.fromkeys(("protocol", "mtls"), str.upper),
    **dict.fromkeys(("service_type", "access_mode", "target_kind", "role_kind"), _spelled),
    "command": lambda text: ["sh", "-c", text] if _SHELL.search(text) else shlex.split(text),
    "policy_action": lambda text: _spelled(text).upper(),
    "methods": lambda text: re.findall("[A-Z]+", text),
}


def facts_of(description: str) -> Facts:
    """What the description says, by the names that skeletons use; `given_pairs` are its key=value pairs."""
    pairs = {key: value.strip("\"'") for key, value in _PAIR.findall(description)}
    environment = _environment(description, pairs)
    # Without the pairs: otherwise `image=nginx` would also be read as a sentence.
    text = _PAIR.sub(" ", description)
    for number, word in enumerate(_NUMBERS, start=1):
        text = re.sub(rf"\b{word}(?= (?:[a-z-]+ )?{_COUNTED})", str(number), text, flags=re.IGNORECASE)
    found = {name: value for name in _PATTERNS if (value := _fact(name, text)) is not None}
    found |= {**_of_sentences(text), **environment}
    if re.search(r"\bheadless\b", text, re.IGNORECASE):
        found["cluster_ip"] = "None"
    for key, meaning, value in list(amounts_of_pairs(pairs)):
        found[meaning] = value
        del pairs[key]
    for key in [key for key in pairs if key in (*_PATTERNS, "image", "schedule", "cpu", "memory", "query")]:
        found[key] = _converted(key, pairs[key])
        if found[key] is not None:
            del pairs[key]
    known = {name: value for name, value in found.items() if value is not None}
    return {**known, "given_pairs": pairs}


def _of_sentences(text: str) -> Facts:
    """What takes more than a pattern: image, amounts, several ports, schedule."""
    found: Facts = {"image": image_of(text, _FILLERS), **amounts_of(text)}
    ports = _PORTS.search(text)
    if ports:
        found["ports"] = [int(number) for number in re.findall(r"\d+", ports[1])]
    schedule = schedule_of(text)
    if schedule:
        found |= {"schedule": schedule.expression, "time_zone": schedule.time_zone}
        found["schedule_guess"] = schedule.why or None
    return found


def _environment(description: str, pairs: dict[str, str]) -> Facts:
    """Variables that are said to be some, whatever their case; they are taken out of the pairs."""
    words = {key: value.strip("\"'") for key, value in _SET_TO.findall(description)}
    for match in _ENV_PAIRS.finditer(description):
        words |= {key: pairs.pop(key) for key, _ in _PAIR.findall(match[1]) if key in pairs}
    return {"variables": words} if words else {}


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
