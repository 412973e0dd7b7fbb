"""What a release says of itself: `python -m checks.release sbom|notes VERSION|images|chart|package`.

`sbom` is the CycloneDX list of what requirements.lock pins, `notes` the section of a version in CHANGELOG.md. The
others are where publishing.yaml has each go, empty where nowhere.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from checks.declared import ROOT, read_project
from kmcp_runtime.publishing import read

_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def sbom(root: Path) -> dict[str, Any]:
    """CycloneDX 1.5: the suite, and every library that the lock pins, for whatever platform."""
    project = read_project(root)["project"]
    own = {"type": "application", "name": project["name"], "version": project["version"], "bom-ref": project["name"]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**own, "licenses": [{"expression": project["license"]}]}},
        "components": list(_components((root / "requirements.lock").read_text())),
    }


def _components(lock: str) -> Iterator[dict[str, Any]]:
    pins = list(_PINNED.finditer(lock))
    ends = [*(pin.start() for pin in pins[1:]), len(lock)]
    for pin, end in zip(pins, ends, strict=True):
        name, version = pin[1], pin[2]
        purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
        found: dict[str, Any] = {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
        # One for each file that may be installed: which of them it was, the installation knows.
        files = [
            {"type": "distribution", "url": purl, "hashes": [{"alg": "SHA-256", "content": digest}]}
            for digest in _HASH.findall(lock, pin.end(), end)
        ]
        yield found | ({"externalReferences": files} if files else {})


def notes(root: Path, version: str) -> str:
    """The text of a version's section. Errors: SystemExit when the changelog has none, or an empty one."""
    text = (root / "CHANGELOG.md").read_text()
    section = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise SystemExit(f"CHANGELOG.md has no section ## [{version}] with any text: write it before the tag")
    return section[1].strip() + "\n"


def main(argv: Sequence[str], root: Path = ROOT) -> str:
    where = read((root / "publishing.yaml").read_text(), "publishing.yaml")
    if argv == ["sbom"]:
        return json.dumps(sbom(root), indent=2) + "\n"
    if len(argv) == 2 and argv[0] == "notes":
        return notes(root, argv[1].removeprefix("v"))
    places = {"images": where.images, "chart": where.chart_repository, "package": where.package}
    if len(argv) == 1 and argv[0] in places:
        return places[argv[0]] + "\n"
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]))
