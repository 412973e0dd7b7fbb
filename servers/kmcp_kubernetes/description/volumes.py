"""Volumes of a pod in a line each, of any type: every field that its source sets, as `kubectl describe` shows them."""

from collections.abc import Iterator, Mapping
from typing import Any

Source = Mapping[str, Any]
_REFERENCES = ("claimName", "secretName", "name", "path", "driver", "reference", "volumeID", "pdName", "diskName")
"""What a source is known by; the first that it has stands behind its type."""
_WORDS = {"medium": "medium", "sizeLimit": "at most", "type": "type", "fsType": "file system"}
_FLAGS = {"readOnly": "read-only", "optional": "optional"}
# How files are owned explains no fault: what cannot be read says so itself.
_LEFT_OUT = frozenset({"items", "defaultMode", "mode"})


def volume(each: Source) -> str:
    """`conf: configMap settings, optional`, `files: nfs /exports, server nfs.example.com, read-only`."""
    # A volume has a name and one source, whose key is the type; without a source it is an emptyDir.
    kind = next((key for key in each if key != "name"), "emptyDir")
    source: Source = each.get(kind) or {}
    if kind == "projected":
        return f"{each['name']}: projected {', '.join(_projection(part) for part in source.get('sources') or ())}"
    if kind == "ephemeral":
        return f"{each['name']}: ephemeral claim, {requested(source.get('volumeClaimTemplate') or {})}"
    return f"{each['name']}: {', '.join(_in_words(kind, source))}"


def requested(claim: Source) -> str:
    """What a template of claims asks for: `3Gi ReadWriteOnce, class slow`."""
    spec = claim.get("spec") or {}
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "")
    storage_class = f", class {spec['storageClassName']}" if spec.get("storageClassName") else ""
    return f"{size} {'/'.join(spec.get('accessModes') or ())}{storage_class}"


def _in_words(kind: str, source: Source) -> Iterator[str]:
    known = next((key for key in _REFERENCES if source.get(key)), None)
    yield f"{kind} {source[known]}" if known else kind
    flags = [word for key, word in _FLAGS.items() if source.get(key)]
    rest = [key for key in source if key != known and key not in _LEFT_OUT and key not in _FLAGS]
    # The words that people know first, in their order.
    for key in sorted(rest, key=lambda key: list(_WORDS).index(key) if key in _WORDS else len(_WORDS)):
        if source[key] not in (None, "", [], {}, False):
            yield f"{_WORDS.get(key, key)} {_plain(source[key])}" if source[key] is not True else key
    yield from flags
    yield from (f"{item.get('key', '')} as {item['path']}" for item in source.get("items") or ())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        # References to Secrets have a name alone; attributes of drivers are pairs.
        return (
            str(value["name"]) if set(value) == {"name"} else " ".join(f"{key}={each}" for key, each in value.items())
        )
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def _projection(part: Source) -> str:
    kind = next(iter(part), "")
    source: Source = part.get(kind) or {}
    seconds = f" for {source['expirationSeconds']}s" if source.get("expirationSeconds") else ""
    audience = f", audience {source['audience']}" if source.get("audience") else ""
    optional = ", optional" if source.get("optional") else ""
    called = source.get("name") or source.get("signerName") or source.get("path") or ""
    return f"{kind} {called}".rstrip() + seconds + audience + optional
