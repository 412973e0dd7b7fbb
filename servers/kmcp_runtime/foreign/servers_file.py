"""Which foreign servers are behind the door: a file that `up`, the controller or a person writes.

servers:
  - name: github
    url: http://github.tools.svc:3000/mcp
    headers: {Authorization: {file: /var/run/secrets/github/token}}
    tools: {create_issue: {hash: "sha256:…", effect: write}}
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from kmcp_runtime import redaction, urls, yaml_text
from kmcp_runtime.catalog import Effect
from kmcp_runtime.errors import ToolFailure, unavailable
from kmcp_runtime.findings import faults

MOST_SERVERS = 100
LARGEST_BYTES = 4 << 20
_CONFIG = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)
# RFC 9110: a token, and visible characters, spaces and obs-text.
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*")
_OURS = frozenset({"accept", "content-type", "content-length", "host", "mcp-session-id", "mcp-protocol-version"})


class FileError(ValueError):
    """What is wrong with the file, and where."""


class Source(BaseModel):
    """Where the value of a header is, when it is not in the file itself."""

    model_config = _CONFIG

    env: str = Field(default="", description="Environment variable that holds it")
    file: str = Field(default="", description="File that holds it, read again at each request")
    prefix: str = Field(default="", description="What stands before it, such as `Bearer `")

    @model_validator(mode="after")
    def _one(self) -> "Source":
        if bool(self.env) == bool(self.file):
            raise ValueError("name either env or file")
        return self


class Pinned(BaseModel):
    """A tool as somebody has looked at it."""

    model_config = _CONFIG

    hash: str = Field(description="Of the tool as it was listed, as the catalog states it")
    effect: Effect = Field(description="What a call does: read, write or destroy")


class ForeignEntry(BaseModel):
    """One foreign server."""

    model_config = _CONFIG

    # As names of Kubernetes are: without an underscore, so that the first one of a tool's name ends the server's.
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$")]
    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s#]*$", max_length=2048)]
    title: str = ""
    headers: Mapping[str, str | Source] = Field(default_factory=dict)
    forward_headers: tuple[str, ...] = ()
    """Headers of the caller's own request that are handed on; by default none, his bearer token neither."""
    ca_file: str = ""
    annotations: Literal["untrusted", "trusted"] = "untrusted"
    """Whether the hints of a tool that is not in `tools` say what it does; else it counts as destroying."""
    tools: Mapping[str, Pinned] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_sound(self) -> "ForeignEntry":
        try:
            urls.split(self.url, ("http", "https"))
        except ValueError as error:
            raise ValueError(f"url: {error}") from None
        for name in (*self.headers, *self.forward_headers):
            if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"the header {name[:80]!r} cannot be set")
        return self

    def sent_headers(self) -> dict[str, str]:
        """Names to values. Errors: `unavailable`, when one cannot be read; the value is in no error."""
        return {name: self._value(name, value) for name, value in self.headers.items()}

    def _value(self, name: str, given: str | Source) -> str:
        if isinstance(given, str):
            text = given
        elif given.env:
            if given.env not in os.environ:
                raise self._unread(name, f"the variable {given.env} is not set")
            text = given.prefix + os.environ[given.env].strip()
        else:
            try:
                text = given.prefix + Path(given.file).read_text(encoding="latin-1").strip()
            except OSError as error:
                raise self._unread(name, f"{given.file} cannot be read ({error.strerror})") from None
        if not _VALUE.fullmatch(text):
            raise self._unread(name, "its value has characters that a header cannot have")
        if not isinstance(given, str) or name.lower() == "authorization":
            # The door's own credential: where the server tells it back, it is hidden.
            redaction.learn(text)
            redaction.learn(text.rpartition(" ")[2])
        return text

    def _unread(self, name: str, why: str) -> ToolFailure:
        return unavailable(f"the header {name} of the foreign server {self.name} cannot be sent: {why}")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    servers: list[ForeignEntry] = Field(default_factory=list, max_length=MOST_SERVERS)


def read_servers(path: Path) -> dict[str, ForeignEntry]:
    """The servers by name, in the order of the file. Errors: `FileError`."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise FileError(f"{path} is larger than {LARGEST_BYTES >> 20} MiB")
        content: Any = yaml_text.read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read: {error}") from None
    except yaml_text.YamlError as error:
        raise FileError(f"{path} is not YAML or JSON: {error}") from None
    try:
        found = _File.model_validate(content if content is not None else {}).servers
    except ValidationError as error:
        raise FileError(f"{path}: {'; '.join(faults(_File, error))}") from None
    by_name = {entry.name: entry for entry in found}
    if len(by_name) < len(found):
        twice = next(entry.name for entry in found if by_name[entry.name] is not entry)
        raise FileError(f"{path}: the server {twice} is there twice")
    return by_name
