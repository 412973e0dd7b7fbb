"""The custom resource MCPServer as a frozen model. Pure: no I/O, no clock."""

from .model import Deployment, Extensions, MCPServer, Platform, adapter_of, is_suite_image, repository
from .parse import RefusedError, parse

__all__ = [
    "Deployment",
    "Extensions",
    "MCPServer",
    "Platform",
    "RefusedError",
    "adapter_of",
    "is_suite_image",
    "parse",
    "repository",
]
