"""Names of images as kubelets, registries and the tools that build images read them (distribution/reference)."""

import re

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
# 64 hexadecimal digits alone are an image's id, which is no name.
_NAME = (
    rf"(?![0-9a-f]{{64}}\Z)(?:(?:{_HOST}|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?{_PART}(?:/{_PART})*"
    r"(?P<tag>:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
)
_DIGEST = r"(?P<digest>@(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?"
_REFERENCE = re.compile(_NAME + _DIGEST)


def is_reference(text: str) -> bool:
    """Whether an image can be pulled by this name: `app`, `host:5000/team/app:1.2`, `app@sha256:…`."""
    return _REFERENCE.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether an image can be built and pushed under this name, which has no digest."""
    found = _REFERENCE.fullmatch(text)
    return found is not None and not found["digest"]
