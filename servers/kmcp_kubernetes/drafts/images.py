"""The image that a description names: a reference, or a well-known name with a version beside it."""

import re

# What people name without a tag and without the word "image".
_KNOWN = (
    "nginx|httpd|redis|valkey|postgres|mysql|mariadb|mongo|rabbitmq|memcached|busybox|alpine|python|node|traefik|caddy|"
    "haproxy|golang|ruby|php|tomcat|wordpress|influxdb|elasticsearch|ubuntu|debian|nats|kafka|grafana|prometheus"
)
_DIGEST = "@sha256:[0-9a-f]{64}"
_REPOSITORY = r"[a-z0-9][\w./-]*(?::\d+/[\w./-]+)?"
_REFERENCES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bimages?:?\s+[\"'`]?({_REPOSITORY}(?::[\w.-]*\w)?(?:{_DIGEST})?)",
        rf"(?<![\w./:-])((?:[a-z0-9.-]+(?::\d+)?/)+[a-z0-9._-]+(?::[\w.-]*\w|{_DIGEST}))",
        # A longer bare number after the colon is a port: `web:8080`.
        r"(?<![\w./:-])([a-z][a-z0-9_-]*:(?:v?\d+\.[\w.-]*\w|v?\d{1,2}(?:-[a-z][\w.-]*\w)?|latest|stable|alpine))(?![\w:.]\w)",
        r"\b([a-z0-9][\w./-]*) image\b",
        # Without a tag: a registry's host, or a path with its version beside it.
        r"(?<![\w./:-])((?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?/[a-z0-9][\w./-]*\w)",
        r"(?<![\w./:-])([a-z0-9][\w.-]*/[a-z0-9][\w./-]*\w)(?=,?\s+(?:version|tag|v?\d+\.\d))",
        rf"\b({_KNOWN})\b(?![\w/-])",
    )
)
# `nginx 1.27`, `redis version 7`, `postgres v16-alpine`; but `nginx 3 replicas`, `redis 2 cpus` count something else.
_VERSION = re.compile(
    r"^[\"'`]?,?\s*(?:image,?\s+)?(?:(?:in\s+)?(?:version|tag|tagged|release|at\s+version)\s*:?\s*[\"'`]?([\w][\w.-]*\w|\w)|"
    r"(v?\d+(?:\.\d+)*(?:-[a-z][\w.-]*)?|latest|stable)"
    r"(?![\w:/%]|\.\d|\s*(?:%|percent|[kmgt]i?b?\b|v?cpus?\b|cores?\b|millicores?\b|times?\b|retries|"
    r"(?:[a-z-]+\s+)?(?:replicas?|pods?|instances?|copies|nodes?|containers?|servers?|workers?)\b|"
    r"seconds?|minutes?|hours?|days?)))",
    re.IGNORECASE,
)
_TAGGED = re.compile(rf":[\w.-]+$|{_DIGEST}$")
_LATER_TAG = re.compile(
    r"\b(?:tag|tagged|image version|version)\s*:?\s+[\"'`]?(v?\d[\w.-]*\w|v?\d|latest|stable)", re.IGNORECASE
)


def image_of(text: str, fillers: frozenset[str]) -> str | None:
    """The image with the tag that the words give it; without a tag when they give none."""
    for pattern in _REFERENCES:
        for match in pattern.finditer(text):
            if match[1].lower() not in fillers:
                return _with_version(match[1], text[match.end(1) :], text)
    return None


def has_tag(image: str) -> bool:
    return bool(_TAGGED.search(image.rpartition("/")[2]))


def _with_version(image: str, behind: str, text: str) -> str:
    if has_tag(image):
        return image
    beside = _VERSION.match(behind) or _LATER_TAG.search(text)
    return f"{image}:{next(filter(None, beside.groups()))}" if beside else image
