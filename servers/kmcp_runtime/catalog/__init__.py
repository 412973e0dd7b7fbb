"""The catalog: what the suite's servers and tools are, as one strict document."""

from .canonical import canonical, compact, digest
from .document import dump, load
from .drift import Drift, diff
from .exports import FORMATS, Connection, export, http_connections, short_name, stdio_connections
from .faults import Fault, InvalidDocumentError, faults_of
from .listings import LISTINGS, PUBLISHER, Listed, docker_entry, listed, listing, server_json
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
    reading_only,
    server_hash,
    strongest,
    tokens_of,
    tool_hash,
    union,
)
from .text import Document, documents, survey

__all__ = [
    "API_VERSION",
    "FORMATS",
    "LISTINGS",
    "PUBLISHER",
    "TOKEN_LIMIT",
    "Catalog",
    "Connection",
    "Document",
    "Drift",
    "Effect",
    "EnvEntry",
    "Fault",
    "InvalidDocumentError",
    "Listed",
    "Metadata",
    "Rule",
    "ServerEntry",
    "ToolEntry",
    "Transport",
    "canonical",
    "compact",
    "diff",
    "digest",
    "docker_entry",
    "documents",
    "dump",
    "effect_of",
    "export",
    "faults_of",
    "http_connections",
    "listed",
    "listing",
    "load",
    "reading_only",
    "server_hash",
    "server_json",
    "short_name",
    "stdio_connections",
    "strongest",
    "survey",
    "tokens_of",
    "tool_hash",
    "union",
]
