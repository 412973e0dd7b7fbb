"""The LiveCatalog as ConfigMaps, and back. Pure.

`kmcp-catalog` holds `index.json` (the servers without tools, hashes, where the rest is, `omitted` where there are too
many to name) and, while it stays small
enough, the whole as `catalog.json` or `catalog.json.gz`. Beyond that the servers are in shards `kmcp-catalog-<n>`. A
new shard never takes the name of one that the published index still names: whoever reads the old index finds all of
it until the new one is there.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from kmcp_controller.spec.model import OURS
from kmcp_runtime import json_text
from kmcp_runtime.catalog import API_VERSION

from .live_server import document_hash

NAME = "kmcp-catalog"
LABEL = OURS + "catalog"  # index, shard or door
# Bytes of an object's content. The API server takes 1 MiB, but whoever applies such an object from a client (a copy in
# another cluster, a backup) has 256 KiB for the annotation that it is then put in once more.
LARGEST = 180_000
_INDEX, _WHOLE, _PACKED, _SERVERS = "index.json", "catalog.json", "catalog.json.gz", "servers.json.gz"
_KEY = ("namespace", "name", "url", "hash", "match", "ready", "reason", "truncated")
_SHOWN = (*_KEY, "uid", "transport", "image", "message", "entry", "pin", "toolCount", "tokens", "stale", "changedAt")
_MESSAGE = 256
Object = dict[str, Any]


class InconsistentError(Exception):
    """The objects are not all of one document: read them again."""


@dataclass(frozen=True)
class Publication:
    """Apply `shards`, then `index`; delete then every other object labelled as a shard.

    A shard that is as it was keeps its name, so that applying it writes nothing, or repairs it.
    """

    index: Object
    shards: tuple[Object, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of what is written."""
        return sum(len(value) for each in (self.index, *self.shards) for value in _content(each).values())


def publication(
    document: Mapping[str, Any], namespace: str, index: Mapping[str, Any] | None = None, largest: int = LARGEST
) -> Publication:
    """The objects for a document, `index` being the ConfigMap that is published now."""
    text = _json(document)
    summary = _summary(document, {"key": _WHOLE}, largest)
    if _size(summary) + _size(text) <= largest:
        return Publication(config_map(NAME, namespace, "index", {_INDEX: summary, _WHOLE: text}))
    packed = _pack(text)
    summary = _summary(document, {"key": _PACKED}, largest)
    if _size(summary) + len(packed) <= largest:
        return Publication(config_map(NAME, namespace, "index", {_INDEX: summary}, {_PACKED: packed}))
    return _sharded(document, namespace, _shards_of(index) if index else [], largest)


def is_too_large(found: Mapping[str, Any], largest: int = LARGEST) -> bool:
    """Whether a ConfigMap is larger than one is made now, as those of earlier versions may be."""
    return sum(map(_size, _content(found).values())) > largest


def shard_names(index: Mapping[str, Any]) -> list[str]:
    """The further objects that belong to an index."""
    return [shard["name"] for shard in _shards_of(index)]


def read(index: Mapping[str, Any], shards: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The document of an index and its shards; InconsistentError where one of them is of another time, or broken."""
    try:
        return _read(index, shards)
    except (LookupError, TypeError, ValueError, EOFError, OSError) as error:
        raise InconsistentError(f"{NAME} cannot be read: {error}") from error


def _read(index: Mapping[str, Any], shards: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    data, packed = index.get("data") or {}, index.get("binaryData") or {}
    if _WHOLE in data:
        document: dict[str, Any] = json_text.read(data[_WHOLE])
    elif _PACKED in packed:
        document = json_text.read(_unpack(packed[_PACKED]))
    else:
        summary = json_text.read(data[_INDEX])
        listed = [server for text in _texts(index, shards) for server in json_text.read(text)]
        document = {"apiVersion": API_VERSION, "kind": "LiveCatalog", "hash": summary["hash"], "servers": listed}
    if document_hash(document["servers"]) != document["hash"]:
        # The index was read before a publication and the rest after it.
        raise InconsistentError("the servers do not have the hash of the index")
    return document


def _texts(index: Mapping[str, Any], shards: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    found = {each["metadata"]["name"]: each for each in shards}
    for shard in _shards_of(index):
        packed = (found.get(shard["name"]) or {}).get("binaryData") or {}
        text = _unpack(packed.get(_SERVERS, ""))
        if _hash(text) != shard["hash"]:
            raise InconsistentError(f"{shard['name']} is not the one that the index names")
        yield text


def _sharded(document: Mapping[str, Any], namespace: str, former: list[dict[str, str]], largest: int) -> Publication:
    servers = [_fitting(server, largest) for server in document["servers"]]
    texts = [_json(group).encode() for group in _groups(servers, largest)]
    names = {shard["hash"]: shard["name"] for shard in former}
    free = (name for n in range(len(texts) + len(former)) if (name := f"{NAME}-{n}") not in names.values())
    shards, written = [], []
    for text in texts:
        shards.append({"name": names.get(_hash(text)) or next(free), "hash": _hash(text)})
        written.append(config_map(shards[-1]["name"], namespace, "shard", {}, {_SERVERS: _pack(text.decode())}))
    summary = _summary({**document, "servers": servers}, {"shards": shards}, largest)
    index = config_map(NAME, namespace, "index", {_INDEX: summary})
    return Publication(index, tuple(written))


def _groups(servers: Iterable[Mapping[str, Any]], largest: int) -> Iterator[list[Mapping[str, Any]]]:
    """Consecutive servers that fit into a shard. Packed together they are at most as large as the sum of each alone."""
    group: list[Mapping[str, Any]] = []
    size = 0
    for server in servers:
        length = len(_pack(_json(server)))
        if group and size + length > largest:
            yield group
            group, size = [], 0
        group.append(server)
        size += length
    if group:
        yield group


def _fitting(server: Mapping[str, Any], largest: int) -> dict[str, Any]:
    """The server, without as much of what it lists as it takes to fit into a shard; `truncated` says what."""
    found, lost = dict(server), list(server.get("truncated", ()))
    # What a reader misses least goes first: clients call by the input schema, and search by names.
    for what in ("resources", "prompts", "outputSchema", "inputSchema", "tools"):
        if len(_pack(_json(found))) <= largest:
            break
        if what in ("outputSchema", "inputSchema"):
            found["tools"] = [{**tool, what: None} for tool in found["tools"]]
        elif found[what]:
            found[what] = []
        else:
            continue
        lost.append(what)
        found["truncated"] = list(dict.fromkeys(lost))
    return found


def _summary(document: Mapping[str, Any], content: Mapping[str, Any], largest: int) -> str:
    head = {"apiVersion": API_VERSION, "kind": "LiveCatalogIndex", "hash": document["hash"], "content": content}
    for fields in (_SHOWN, _KEY):
        shown = _json({**head, "servers": [_brief(server, fields) for server in document["servers"]]})
        if _size(shown) <= largest:
            return shown
    # Of more than some hundred servers the index has the first ones and a count: all of them are in the shards.
    briefs = [_brief(server, _KEY) for server in document["servers"]]
    room = largest - _size(_json({**head, "servers": [], "omitted": len(briefs)}))
    ends = accumulate(_size(_json(brief)) + 1 for brief in briefs)
    fitting = sum(1 for end in ends if end <= room)
    return _json({**head, "servers": briefs[:fitting], "omitted": len(briefs) - fitting})


def _brief(server: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    brief = {field: server[field] for field in fields if server.get(field) is not None}
    return brief | ({"message": brief["message"][:_MESSAGE]} if "message" in brief else {})


def config_map(
    name: str, namespace: str, role: str, data: Mapping[str, str], packed: Mapping[str, str] | None = None
) -> Object:
    """A ConfigMap of the controller's own, by its role in the catalog."""
    labels = {"app.kubernetes.io/managed-by": "kmcp", LABEL: role}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    found: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return found | ({"data": dict(data)} if data else {}) | ({"binaryData": dict(packed)} if packed else {})


def _content(found: Mapping[str, Any]) -> dict[str, str]:
    return {**found.get("data", {}), **found.get("binaryData", {})}


def _shards_of(index: Mapping[str, Any]) -> list[dict[str, str]]:
    summary = json_text.read((index.get("data") or {}).get(_INDEX, "{}"))
    shards: list[dict[str, str]] = summary.get("content", {}).get("shards", [])
    return shards


def _json(value: Any) -> str:
    """Plain ASCII, so that its length is its size."""
    return json.dumps(value, separators=(",", ":"))


def _size(text: str) -> int:
    """Bytes as a value of an object, in whose JSON its quotes are escaped."""
    return len(json.dumps(text))


def _pack(text: str) -> str:
    # mtime=0: the same text gives the same bytes, so that applying an unchanged shard writes nothing.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _unpack(packed: str) -> bytes:
    return gzip.decompress(base64.b64decode(packed)) if packed else b""


def _hash(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()
