"""The version of the installed suite."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("kmcp-suite")
except PackageNotFoundError:  # Run from a source tree that is not installed.
    VERSION = "0.0.0"
