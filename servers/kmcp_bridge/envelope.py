"""What differs between the two eras of the protocol, and the way from one to the other.

Since 2026-07-28 each request carries `_meta` with version, client and capabilities, and each result says what it is;
the revisions before it agree on those once, in the handshake.
"""

from collections.abc import Mapping
from typing import Any

from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    INTERNAL_ERROR,
    LOG_LEVEL_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    SERVER_INFO_META_KEY,
)
from mcp_types.methods import CACHEABLE_METHODS

from kmcp_runtime.version import VERSION

from .answers import RpcError, as_object
from .framing import Json

CLIENT = {"name": "kmcp-bridge", "version": VERSION}
_ENVELOPE = (PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY, LOG_LEVEL_META_KEY)
# From a shared process only answers to its own requests reach a client: no change is announced, no log sent.
_OFFERED = ("tools", "prompts", "resources", "completions")
_ANNOUNCED = ("listChanged", "subscribe")


def enveloped(params: Mapping[str, Any], version: str) -> Json:
    """Params for a process of the stateless era; what the client said of itself stays."""
    meta = {CLIENT_INFO_META_KEY: CLIENT, CLIENT_CAPABILITIES_META_KEY: {}, **(params.get("_meta") or {})}
    return {**params, "_meta": {**meta, PROTOCOL_VERSION_META_KEY: version}}


def bare(params: Mapping[str, Any]) -> Json:
    """Params for a process of the handshake era."""
    meta = {key: value for key, value in (params.get("_meta") or {}).items() if key not in _ENVELOPE}
    rest = {key: value for key, value in params.items() if key != "_meta"}
    return rest | ({"_meta": meta} if meta else {})


def stateless_result(method: str, result: Any, info: Json) -> Json:
    """A result as a client of the stateless era expects it."""
    given = as_object(result)
    # The revision requires both; 0 and private keep clients from caching what the process never promised.
    hints = {"ttlMs": 0, "cacheScope": "private"} if method in CACHEABLE_METHODS else {}
    meta = {SERVER_INFO_META_KEY: info} | (given.get("_meta") or {})
    return {"resultType": "complete", **hints, **given, "_meta": meta}


def handshake_result(result: Any) -> Json:
    """A result as a client of the handshake era expects it."""
    given = as_object(result)
    if given.get("resultType") == "input_required":
        text = "the server asks for input, and clients of the handshake revisions cannot be asked through the bridge"
        raise RpcError(INTERNAL_ERROR, f"{text}; use a client that speaks 2026-07-28")
    return {key: value for key, value in given.items() if key not in ("resultType", "ttlMs", "cacheScope")}


def offered(capabilities: Mapping[str, Any], exclusive: bool) -> Json:
    """The capabilities of a process that hold through the bridge: all of them where its client has it alone."""
    known = {name: value for name, value in capabilities.items() if isinstance(value, dict)}
    if exclusive:
        return known
    return {
        name: {key: value for key, value in known[name].items() if key not in _ANNOUNCED}
        for name in _OFFERED
        if name in known
    }
