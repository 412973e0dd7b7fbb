"""The file of sources: which products are indexed, and where their pages are."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kmcp_runtime import ToolFailure, YamlError, bad_argument, faults, read_yaml

OWN = "kmcp-suite"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_USERINFO = re.compile(r"^(\w[\w+.-]*://)[^/@]*@")
Kind = Literal["folder", "git", "module", "sitemap", "suite"]
_KINDS: tuple[Kind, ...] = ("folder", "git", "module", "sitemap", "suite")


def _product(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid product name: use lower case letters, digits, '.', '_' and '-'")
    return name


def _operand(value: str) -> str:
    # These become operands of git and go, which would read a leading hyphen as an option.
    if value.startswith("-") or not value.strip() or "\0" in value:
        raise ValueError(f"{value!r} must not be empty or start with '-', as an option does")
    return value


Product = Annotated[str, AfterValidator(_product)]
Operand = Annotated[str, AfterValidator(_operand)]


class Source(BaseModel):
    """One product in one version, and where its pages are. Exactly one of the kinds is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: Product
    version: str = "latest"
    aliases: tuple[Product, ...] = ()
    folder: Operand | None = Field(default=None, description="A folder of this machine")
    git: Operand | None = Field(default=None, description="Repository that git can fetch")
    ref: Operand = Field(default="HEAD", description="Branch, tag or commit of `git`")
    module: Operand | None = Field(default=None, description="Go module, as path@version")
    sitemap: Operand | None = Field(default=None, description="https address of a sitemap.xml")
    suite: bool = Field(default=False, description="The suite's own documentation")
    under: tuple[str, ...] = Field(default=(), description="Only these folders, or these prefixes of a URL's path")
    exclude: tuple[str, ...] = Field(default=(), description="Paths that are left out, as globs")
    commands: tuple[str, ...] = Field(default=(), description="Folders of Go commands whose help is documentation")
    code: tuple[str, ...] = Field(default=(), description="Index source code of these suffixes instead of documents")
    url: str = Field(
        default="", description="Address of a page: {path}, {stem} (no suffix, no index), {name}, {version}"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Source":
        given = [kind for kind in _KINDS if getattr(self, kind)]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(_KINDS)}, not {' and '.join(given) or 'none'}")
        if self.module and "@" not in self.module:
            raise ValueError("module: write path@version")
        return self

    @property
    def kind(self) -> Kind:
        return next(kind for kind in _KINDS if getattr(self, kind))

    @property
    def title(self) -> str:
        return f"{self.product} {self.version}"

    def public(self) -> "Source":
        """The source as an index may hold it: without user and password of an address."""
        given = {name: _USERINFO.sub(r"\1", value) for name in ("git", "sitemap") if (value := getattr(self, name))}
        return self.model_copy(update=given)

    def address(self, path: str, fallback: str = "") -> str:
        """The URL of a page by the template; without one the fallback, or the path itself."""
        if not self.url:
            return fallback or path
        stem = re.sub(r"(?:^|/)_?(?:index|README)$", "", re.sub(r"\.\w+$", "", path))
        name = path.rpartition("/")[2].partition(".")[0]
        return self.url.format(path=path, stem=stem, name=name, version=self.version)


def read(path: Path) -> list[Source]:
    """The sources of a file: a list, or a mapping with `sources`."""
    try:
        content = read_yaml(path.read_text())
    except FileNotFoundError:
        raise bad_argument(f"there is no file {path}", "name a YAML file that lists sources") from None
    except (OSError, UnicodeDecodeError) as error:
        raise bad_argument(f"{path}: {error}") from None
    except YamlError as error:
        raise bad_argument(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    entries = content.get("sources") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries:
        raise bad_argument(f"{path} lists no sources", "write a list of {product, version, folder|git|module|sitemap}")
    found = [_source(path, number, entry) for number, entry in enumerate(entries, 1)]
    return _without_doubles(path, found)


def _without_doubles(path: Path, found: list[Source]) -> list[Source]:
    seen: set[str] = set()
    for source in found:
        if source.title in seen:
            raise bad_argument(f"{path}: {source.title} is listed twice", "give each its own version")
        seen.add(source.title)
    return found


def _source(path: Path, number: int, entry: Any) -> Source:
    try:
        source = Source.model_validate(entry)
    except ValidationError as error:
        raise _refusal(f"{path}: source {number}", error) from None
    if source.folder is None:
        return source
    # A file of sources means folders beside itself, wherever it is read from.
    folder = (path.parent / Path(source.folder).expanduser()).resolve()
    return source.model_copy(update={"folder": str(folder)})


def _refusal(where: str, error: ValidationError) -> ToolFailure:
    return bad_argument(
        f"{where}: {'; '.join(faults(Source, error, 'field'))}", f"fields: {', '.join(Source.model_fields)}"
    )
