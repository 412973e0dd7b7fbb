"""The custom resource MCPServer: model, checks, definition, entry in the catalog. Pure: no I/O, no clock.

Here: what a manifest means by itself. Not here: what it becomes (`render`) and what is seen of it (`status`).
"""

from .model import Deployment, Extensions, MCPServer, Platform, adapter_of, is_suite_image, repository, variant
from .parse import NotAllowedError, RefusedError, is_meant, parse

__all__ = [
    "Deployment",
    "Extensions",
    "MCPServer",
    "NotAllowedError",
    "Platform",
    "RefusedError",
    "adapter_of",
    "is_meant",
    "is_suite_image",
    "parse",
    "repository",
    "variant",
]
