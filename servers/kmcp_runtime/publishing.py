"""Where the suite is published: what `publishing.yaml` says. What is not published is named nowhere.

A name in a public index that nobody holds is a trap: whoever registers it runs with the rights of those who believe us.
"""

import re
from dataclasses import dataclass
from functools import cache

from kmcp_runtime import shipped, yaml_text

LOCAL_IMAGES = "localhost/kmcp"
"""Prefix of images that are built and not published: every engine takes `localhost` for this machine."""
_FORMS = {
    "package": re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
    "registry": re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?"),
    "organisation": re.compile(r"[a-z0-9]([a-z0-9._/-]*[a-z0-9])?"),
    "chartRepository": re.compile(r"(oci|https)://[a-z0-9][A-Za-z0-9.:/_-]*"),
    "repository": re.compile(r"https://[a-z0-9][A-Za-z0-9.:/_-]*"),
}


@dataclass(frozen=True)
class Publishing:
    """Each is empty until something is there."""

    package: str = ""
    """The distribution's name in the package index."""
    registry: str = ""
    organisation: str = ""
    chart_repository: str = ""
    repository: str = ""

    @property
    def images(self) -> str:
        """Prefix of the images' repositories; empty: no image is published."""
        return "/".join(filter(None, (self.registry, self.organisation))) if self.registry else ""

    @property
    def image_prefix(self) -> str:
        """Prefix of the images that this machine or cluster has: the published ones, or those built here."""
        return self.images or LOCAL_IMAGES

    def install_hint(self, extra: str) -> str:
        """What to do to have the libraries of an extra."""
        if self.package:
            return f"install {self.package}[{extra}]"
        return f"install the suite with its extra {extra}, such as '<wheel of kmcp-suite>[{extra}]'"


class PublishingError(ValueError):
    """Says which line of `publishing.yaml` is wrong, and what it takes."""


@cache
def published() -> Publishing:
    """What the suite's own file says. Errors: PublishingError."""
    file = shipped.publishing_file()
    return read(file.read_text(), str(file)) if file.is_file() else Publishing()


def read(text: str, where: str) -> Publishing:
    """Errors: PublishingError."""
    content = yaml_text.read(text) or {}
    if not isinstance(content, dict) or set(content) - set(_FORMS):
        raise PublishingError(f"{where}: it takes {', '.join(_FORMS)}")
    given = {key: "" if value is None else str(value) for key, value in content.items()}
    for key, value in given.items():
        if value and not _FORMS[key].fullmatch(value):
            raise PublishingError(f"{where}: {key}: {value!r} does not match {_FORMS[key].pattern}")
    if given.get("organisation") and not given.get("registry"):
        raise PublishingError(f"{where}: organisation: a registry is needed too; name it, or leave both empty")
    chart = given.pop("chartRepository", "")
    return Publishing(**given, chart_repository=chart)
