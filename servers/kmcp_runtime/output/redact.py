"""Secrets on their way out, replaced at this one place: keys stay, values become `sha256:…` prefixes.

The digests are keyed with a random key of the process: equal values look equal within one process, and nobody who
reads an answer can test a guess. What counts as a secret:

- `data` and `stringData` of a Kubernetes Secret, in any shape (object, list, item of a list, nested in a manifest);
- the last-applied annotation and Helm's release payload (they repeat whole objects);
- Grafana's `secureJsonData` and `secureSettings`, whatever their keys are called;
- `{name, value}` pairs and mapping entries whose name looks like a credential (`DB_PASSWORD`, `api-key`, …);
- in every text: private keys, bearer and basic credentials, JSON Web Tokens, cloud and forge tokens, userinfo in URLs,
  and `password=…` assignments.
"""

import hashlib
import hmac
import json
import os
import re
from collections.abc import Mapping
from typing import Any

_KEY = os.urandom(32)
_SECURE = ("secureJsonData", "secureSettings")
_DIGEST = re.compile(r"sha256:[0-9a-f]{12}")
# Of a Helm release: gzip in base64, as a ConfigMap holds it and, once more in base64, a Secret.
_PAYLOADS = ("H4sI", "SDRzS")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_CREDENTIAL_WORD = (
    r"pass(?:word|wd|phrase)?|pwd|api[-_.]?key|access[-_.]?key(?:[-_.]?id)?|secret[-_.]?(?:access[-_.]?)?key|"
    r"private[-_.]?key|client[-_.]?secret|auth[-_.]?token|(?:access|refresh|id|bearer|session)[-_.]?token|token|secret|"
    r"credentials?|client-key-data|signing[-_.]?key|encryption[-_.]?key|connection[-_.]?string|dockerconfigjson|"
    r"\.dockercfg|authorization|cookie|htpasswd"
)
# The whole name ends in a credential word that starts at a boundary or at a capital (`dbPassword`).
_CREDENTIAL_NAME = re.compile(rf"(?:^|[-_.]|(?<=[a-z0-9])(?=[A-Z]))(?:{_CREDENTIAL_WORD})s?$", re.IGNORECASE)
_GLUED_NAME = re.compile(r"(?:password|passwd|secret|token|apikey)$", re.IGNORECASE)

_TEXT = re.compile(
    r"(?P<pem>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))"
    r"|(?P<jwt>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)(?P<schemed>(?!auth(?:entication|orization)\b|credentials?\b)[A-Za-z0-9._~+/-]{8,}=*)"
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://)(?P<userinfo>[^\s/@\"'<>]*:[^\s/@\"'<>]*|[^\s/@:\"'<>]{16,})@"
    r"|(?P<known>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bglpat-[A-Za-z0-9_-]{16,}|\bxox[abeprs]-[A-Za-z0-9-]{10,}|\bsk-[A-Za-z0-9_-]{20,}|\bglsa_[A-Za-z0-9_]{20,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}|\bnpm_[A-Za-z0-9]{30,}|\bhvs\.[A-Za-z0-9_-]{20,})"
    rf"|(?P<flag>(?<!\S)--?[a-z0-9-]*(?:{_CREDENTIAL_WORD})\s+)(?P<flagged>[^\s\"'-][^\s\"']*)"
    rf"|(?P<name>(?<![A-Za-z0-9])[A-Za-z0-9_.-]{{0,64}}?(?:{_CREDENTIAL_WORD})s?[\"']?\s*(?:=>|:=|=|:)"
    # The next line may be a key of its own: `serviceAccountToken:` has fields, not a value.
    r"(?!\s*\n\s*(?:-\s+)?[\w./-]+:(?:\s|$))\s*)"
    r"(?!(?:bearer|basic)\s)(?P<value>\"(?:[^\"\\\n]|\\.)+\"|'[^'\n]+'|[^\s\"',;&|{}\[\]()<>]+)",
    re.IGNORECASE | re.DOTALL,
)
# Escape sequences and control characters (but tab and newline), zero-width and direction marks: they hide or fake text.
_CONTROL = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[@-_]?|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]"
)
# At least one of these is part of everything that is replaced anywhere in this module: most answers hold none of them,
# and looking for fixed words is a hundred times faster than matching.
_TRIGGERS = (
    "pass",
    "pwd",
    "key",
    "secret",
    "token",
    "credential",
    "authorization",
    "cookie",
    "docker",
    "connection",
    "bearer",
    "basic",
    "://",
    "eyj",
    "akia",
    "asia",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "sk-",
    "glsa_",
    "aiza",
    "npm_",
    "hvs.",
    "last-applied",
    "h4si",
    "sdrzs",
    "-data",
    "secure",
)
# What stands in prose and help texts where a credential could stand.
_PROSE = re.compile(
    r"(?:authentication|authorization|auth|building-blocks|concepts|configuration|documentation|functionality|information"
    r"|knowledge|operations|principles|requirements|structure|understanding)\W*$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"(?:bool|boolean|duration|file|flags?|int|name|options?|path|strings?|value)\W*$", re.IGNORECASE
)
# Names whose value is the name of a Secret, which says where the secret is.
_REFERENCE = re.compile(r"existing[-_.]?secret[\"'\s:=>]*$", re.IGNORECASE)
# Values that an assignment may show: they say that there is none, or point at where it is.
_HARMLESS = re.compile(r"(?:true|false|null|none|nil|\d{1,3}|sha256:\S*|<\S*|\*+|\$\{?\S*|%\S*)$", re.IGNORECASE)


def digest(value: str) -> str:
    """A short keyed fingerprint that stands in for a secret value."""
    return "sha256:" + hmac.new(_KEY, value.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()[:12]


def digest_at(node: Any, path: str = "") -> str | None:
    """Where a value that a caller sends holds what answers show in place of a secret; None where it does not."""
    if isinstance(node, str):
        return (path or "it") if _DIGEST.fullmatch(node) else None
    entries = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    found = (digest_at(item, f"{path}.{key}" if path else str(key)) for key, item in entries)
    return next((place for place in found if place), None)


def looks_like_credential(name: str) -> bool:
    return bool(_CREDENTIAL_NAME.search(name) or _GLUED_NAME.search(name)) and not _REFERENCE.search(name)


def text(value: str) -> str:
    """A text without control characters and with every credential in it replaced."""
    value = value if value.isprintable() else _CONTROL.sub("", value)
    return _TEXT.sub(_replace, value) if _may_hold_secret(value.lower()) else value


def _may_hold_secret(lowered: str) -> bool:
    return any(trigger in lowered for trigger in _TRIGGERS)


def _replace(match: re.Match[str]) -> str:
    for whole in ("pem", "jwt", "known"):
        if match[whole]:
            return digest(match[whole])
    if match["scheme"]:
        return match[0] if _PROSE.match(match["schemed"]) else match["scheme"] + digest(match["schemed"])
    if match["flag"]:
        return match[0] if _PLACEHOLDER.match(match["flagged"]) else match["flag"] + digest(match["flagged"])
    if match["url"]:
        return f"{match['url']}{digest(match['userinfo'])}@"
    quote = match["value"][0] if match["value"][0] in "\"'" else ""
    value = match["value"].strip(quote) if quote else match["value"]
    # Markup or a comment on the next line belongs to the text, not to the name before it.
    if _HARMLESS.match(value) or _REFERENCE.search(match["name"]) or ("\n" in match["name"] and value[0] in "`#*-"):
        return match[0]
    return f"{match['name']}{quote}{digest(value)}{quote}"


def value(node: Any) -> Any:
    """Any JSON-like value with every secret in it replaced; the input is left as it was."""
    return node if _is_harmless(node) else _walk(node, secret=False)


def _is_harmless(node: Any) -> bool:
    """True when nothing in it, keys included, could be replaced: told from its JSON text in one go."""
    try:
        whole = json.dumps(node, ensure_ascii=False)
    except TypeError:
        return False
    return whole.isprintable() and "\\u00" not in whole and not _may_hold_secret(whole.lower())


def _walk(node: Any, secret: bool) -> Any:
    if isinstance(node, str):
        return text(node)
    if isinstance(node, Mapping):
        return _mapping(node, secret or node.get("kind") in ("Secret", "SecretList"))
    if isinstance(node, list | tuple):
        return _sequence(list(node), secret)
    return node


def _sequence(node: list[Any], secret: bool) -> list[Any]:
    if len(node) > 1 and all(isinstance(item, str) for item in node):
        joined = "\n".join(node)
        cleaned = text(joined)
        # Lines are read together: a private key spans several of them.
        return node if cleaned == joined else cleaned.split("\n")
    return [_walk(item, secret) for item in node]


def _mapping(node: Mapping[Any, Any], secret: bool) -> dict[Any, Any]:
    if secret and _is_secret_data(node):
        node = {**node, **{key: _all(node[key]) for key in ("data", "stringData") if node.get(key)}}
        return {key: item if key in ("data", "stringData") else _entry(key, item, secret) for key, item in node.items()}
    named = node.get("name")
    if isinstance(named, str) and isinstance(node.get("value"), str) and looks_like_credential(named):
        node = {**node, "value": _once(node["value"])}
    return {key: _entry(key, item, secret) for key, item in node.items()}


def _is_secret_data(node: Mapping[Any, Any]) -> bool:
    return isinstance(node.get("data"), Mapping) or isinstance(node.get("stringData"), Mapping)


def _entry(key: Any, item: Any, secret: bool) -> Any:
    if isinstance(item, str) and isinstance(key, str):
        if key == LAST_APPLIED or (key == "release" and item.startswith(_PAYLOADS)):
            return digest(item)
        if looks_like_credential(key):
            return _once(item)
        if key.endswith("-data") and len(item) > 100:
            return digest(item)
    if key in _SECURE and isinstance(item, Mapping):
        return _all(item)
    if isinstance(item, list) and isinstance(key, str) and looks_like_credential(key):
        return [_once(part) if isinstance(part, str) else _walk(part, secret) for part in item]
    return _walk(item, secret)


def _all(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _once(item if isinstance(item, str) else json.dumps(item)) for key, item in node.items()}
    return digest(json.dumps(node))


def _once(item: str) -> str:
    return item if not item or item.startswith("sha256:") else digest(item)
