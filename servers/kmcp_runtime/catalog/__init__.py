"""The catalog: what the suite's servers and tools are, as one strict document."""

from .canonical import canonical, compact, digest
from .document import dump, load
from .drift import Drift, diff
from .exports import FORMATS, Connection, export, http_connections, short_name, stdio_connections
from .faults import Fault, InvalidDocumentError, faults_of, nearest
from .model import (
    API_VERSION,
    TOKEN_LIMIT,
    Catalog,
    Effect,
    EnvEntry,
    Metadata,
    Rule,
    ServerEntry,
    ToolEntry,
    Transport,
    effect_of,
    server_hash,
    strongest,
    tokens_of,
    tool_hash,
    union,
)
from .text import Document, documents

__all__ = [
    "API_VERSION",
    "FORMATS",
    "TOKEN_LIMIT",
    "Catalog",
    "Connection",
    "Document",
    "Drift",
    "Effect",
    "EnvEntry",
    "Fault",
    "InvalidDocumentError",
    "Metadata",
    "Rule",
    "ServerEntry",
    "ToolEntry",
    "Transport",
    "canonical",
    "compact",
    "diff",
    "digest",
    "documents",
    "dump",
    "effect_of",
    "export",
    "faults_of",
    "http_connections",
    "load",
    "nearest",
    "server_hash",
    "short_name",
    "stdio_connections",
    "strongest",
    "tokens_of",
    "tool_hash",
    "union",
]
