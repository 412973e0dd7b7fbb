"""Hooks of the documentation site: pages from the files at the top of the repository, and navigation by folder.

MkDocs reads only `docs/`, and its navigation lists every page by hand. Here the files that hosts of repositories expect
at the top become pages, and a page for a new server or decision gets its place without a line in `mkdocs.yml`.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
TOP = {
    "develop/contributing.md": "CONTRIBUTING.md",
    "develop/changelog.md": "CHANGELOG.md",
    "security/reporting.md": "SECURITY.md",
}
"""Pages of the site, and the files at the top that they show."""
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.nav = [_filled(entry, Path(config.docs_dir)) for entry in config.nav or ()]
    return config


def _filled(entry: Any, docs: Path) -> Any:
    """A folder in the navigation stands for its pages, `index.md` first."""
    if isinstance(entry, dict):
        return {title: _filled(content, docs) for title, content in entry.items()}
    if isinstance(entry, str) and entry.endswith("/"):
        return _pages(docs, entry)
    if not isinstance(entry, list):
        return entry
    if entry == ["reference/tools/index.md"]:
        return _pages(docs, "reference/tools/")
    return [_filled(each, docs) for each in entry]


def _pages(docs: Path, folder: str) -> list[str]:
    names = sorted(path.name for path in (docs / folder).glob("*.md"))
    return [f"{folder}{name}" for name in sorted(names, key=lambda name: name != "index.md")]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for page, name in TOP.items():
        text = (ROOT / name).read_text()
        # On the site the file is two levels below the top, where its links begin.
        files.append(File.generated(config, page, content=text.replace("](docs/", "](../")))
    return files


def on_pre_build(config: MkDocsConfig) -> None:
    """MkDocs checks the links of its pages; those of the files at the top are checked here."""
    broken = [fault for name in ("README.md", *TOP.values()) for fault in _broken(name)]
    if broken:
        raise PluginError("\n".join(broken))


def _broken(name: str) -> list[str]:
    prose = _FENCE.sub("", (ROOT / name).read_text())
    targets = [match["target"].partition("#")[0] for match in _LINK.finditer(prose)]
    return [
        f"{name}: {target} does not exist"
        for target in targets
        if target and "://" not in target and not (ROOT / target).exists()
    ]
