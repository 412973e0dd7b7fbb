"""Amounts of CPU and memory in plain words, as requests or limits: `256Mi memory limit`, `requests 100m cpu`."""

import re
from collections.abc import Iterator, Mapping

_MEMORY_UNITS = {
    "k": "k", "kb": "k", "kilobyte": "k", "ki": "Ki", "kib": "Ki",
    "m": "M", "mb": "M", "megabyte": "M", "meg": "M", "mi": "Mi", "mib": "Mi", "mebibyte": "Mi",
    "g": "G", "gb": "G", "gigabyte": "G", "gig": "G", "gi": "Gi", "gib": "Gi", "gibibyte": "Gi",
    "t": "T", "tb": "T", "terabyte": "T", "ti": "Ti", "tib": "Ti",
}  # fmt: skip
_UNITS = "|".join(sorted(_MEMORY_UNITS, key=len, reverse=True))
_NUMBER = r"(?<![\w.:/-])(\d+(?:\.\d+)?)"
_CPU_WORDS = r"(?:v?cpus?|cores?)"
_AMOUNT = re.compile(
    rf"{_NUMBER}(?:\s*(?:(millicores?|millicpus?|m(?![\w.]))|({_UNITS})s?(?![\w.:/])|({_CPU_WORDS})(?!\w|\s*:)))?",
    re.IGNORECASE,
)
# What stands between the word and its amount: `cpu limit of 1`, `cpu: 500m`.
_JOINED = r"(?:\s*(?:limits?|limited|requests?|usage|use|of|to|is|at|up|=|:))*"
_CPU_BEFORE = re.compile(rf"\b{_CPU_WORDS}{_JOINED}\s*$", re.IGNORECASE)
_CPU_AFTER = re.compile(rf"^\s*(?:of\s+)?(?:a\s+)?{_CPU_WORDS}\b", re.IGNORECASE)
_MEMORY_NEAR = re.compile(r"\b(?:memory|ram|mem)\b", re.IGNORECASE)
_STORAGE = re.compile(r"\b(?:storage|disk|volume|pvc|claim|persistent)\b", re.IGNORECASE)
_LIMIT = r"(?:limit(?:s|ed|ing)?|cap(?:ped)?|max(?:imum)?|at most|up to|no more than)"
_REQUEST = r"(?:request(?:s|ed|ing)?|at least|min(?:imum)?|reserv(?:e|es|ed|ing))"
_ROLE = re.compile(rf"\b(?:({_LIMIT})|({_REQUEST}))\b", re.IGNORECASE)
# `256Mi memory limit`, but not `128Mi, memory limit 256Mi`.
_ROLE_AFTER = re.compile(
    rf"^\s*(?:of\s+)?(?:(?:memory|ram|mem|{_CPU_WORDS})\s+)?(?:as\s+(?:a|the|its)\s+)?(?:({_LIMIT})|({_REQUEST}))\b"
    r"(?!\s*:|\s*(?:memory|ram|cpu)?\s*(?::|of|to|is|=)?\s*\d)",
    re.IGNORECASE,
)
_NEAR = 200
"""Characters around an amount in which its words are looked for."""
_HALF = re.compile(rf"\b(?:half|0\.5)(?: an?)? {_CPU_WORDS}\b", re.IGNORECASE)
_PAIR_KEYS = {
    f"{prefix}{first}{separator}{second}": f"{resource}_{role}"
    for resource in ("cpu", "memory")
    for role in ("limit", "request")
    for prefix in ("", "resources.")
    for separator in ("_", "-", ".", "")
    for first, second in ((resource, role), (role, resource), (f"{role}s", resource), (resource, f"{role}s"))
}


def amounts_of(text: str) -> dict[str, str]:
    """`cpu`, `memory` for amounts that are neither, and `cpu_limit`, `memory_request` and so on."""
    text = _HALF.sub("500m cpu", text)
    found: dict[str, str] = {}
    used = 0
    for match in _AMOUNT.finditer(text):
        before = text[max(used, match.start() - _NEAR) : match.start()]
        after = text[match.end() : match.end() + _NEAR]
        resource, amount = _resource(match, before, after)
        if not resource:
            continue
        behind = _ROLE_AFTER.match(after)
        role = _role(behind) if behind else _role_before(before)
        found.setdefault(f"{resource}_{role}" if role else resource, amount)
        # A word behind its amount is not one before the next.
        used = match.end() + behind.end() if behind else used
    return found


def amounts_of_pairs(pairs: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The pairs that are amounts: `memory_limit=256Mi`, `limits.cpu=1`; key, what it means, and value."""
    for key, value in pairs.items():
        meaning = _PAIR_KEYS.get(key.lower())
        if meaning:
            yield key, meaning, value


def _resource(match: re.Match[str], before: str, after: str) -> tuple[str, str]:
    """What an amount is of, and how Kubernetes writes it; nothing when it is neither CPU nor memory."""
    number, milli, unit, cpus = match.groups()
    if cpus:
        return "cpu", number
    if milli:
        # `5m` may be minutes.
        counts = milli.lower() != "m" or _CPU_BEFORE.search(before) or _CPU_AFTER.match(after)
        return ("cpu", f"{number}m") if counts or _ends_with_role(before, after) else ("", "")
    if unit:
        around = re.split(r"[,;.]\s", before)[-1][-30:] + " " + re.split(r"[,;]|\band\b", after)[0][:20]
        about_storage = _STORAGE.search(around) and not _MEMORY_NEAR.search(around)
        return ("", "") if about_storage else ("memory", f"{number}{_MEMORY_UNITS[unit.lower()]}")
    if (
        _CPU_BEFORE.search(before)
        and not re.match(r"\s*(?:%|percent|[\w/])", after[:1] or " ")
        and "%" not in after[:2]
    ):
        return "cpu", number
    return "", ""


def _ends_with_role(before: str, after: str) -> bool:
    return bool(
        _ROLE_AFTER.match(after) or re.search(rf"\b(?:{_LIMIT}|{_REQUEST}){_JOINED}\s*$", before, re.IGNORECASE)
    )


def _role_before(text: str) -> str | None:
    """The last word of a limit or a request in the same sentence."""
    found = list(_ROLE.finditer(re.split(r"[;.](?=\s)", text)[-1]))
    return _role(found[-1]) if found else None


def _role(match: re.Match[str]) -> str:
    return "limit" if match[1] else "request"
