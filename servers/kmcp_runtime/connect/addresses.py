"""Addresses that are written into files of clients: they hold no secrets, which are given by variables."""

from argparse import ArgumentTypeError
from urllib.parse import SplitResult, parse_qsl, urlencode

from kmcp_runtime import urls

from .programs import holds_secret


def checked(text: str) -> str:
    """The address of a suite as it was given. Errors: ArgumentTypeError, which shows nothing of a secret."""
    try:
        parts = urls.split(text, ("http", "https"))
    except ValueError as error:
        raise ArgumentTypeError(f"it is not an address: {error}; write http://HOST:PORT/mcp") from None
    if secret := _secret_of(parts, text):
        raise ArgumentTypeError(
            f"{secret} would stand in the client's file, in logs and in the shell's history; leave it out; "
            "a bearer token is given by a variable, which `kmcp-suite connect CLIENT --token-env NAME` writes"
        )
    return text


def _secret_of(parts: SplitResult, text: str) -> str:
    """What of an address is a secret, without its value; empty where nothing is."""
    if "@" in parts.netloc:
        return "the user and password of this address"
    for name, value in parse_qsl(f"{parts.query}&{parts.fragment}".replace(";", "&")):
        # A name alone tells less than its place in an address: `key` is a credential there.
        if holds_secret(f"{name}={value}") or holds_secret(f"http://host/?{urlencode({name: value})}"):
            return f"the value of {name!r} in this address"
    return "what looks like a secret in this address" if holds_secret(text) else ""
