"""V8: the dry parts of a release, run; and the example for an engine, held to what the image takes."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from checks.release import main, notes, sbom
from kmcp_runtime.engine.cli import configured
from kmcp_runtime.entries import servers
from tests.delivery.conftest import ROOT, ran


def test_the_sbom_names_every_library_of_the_lock_with_its_digests() -> None:
    found = json.loads(main(["sbom"]))
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.5")
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert sorted(each["name"] for each in found["components"]) == sorted(pinned)
    references = [each["bom-ref"] for each in found["components"]]
    assert len(references) == len(set(references))
    (pydantic,) = [each for each in found["components"] if each["name"] == "pydantic"]
    assert pydantic["purl"] == f"pkg:pypi/pydantic@{pydantic['version']}"
    assert len(pydantic["externalReferences"][0]["hashes"][0]["content"]) == 64
    assert sbom(ROOT) == sbom(ROOT), "the same lock is the same list"


def test_the_notes_of_a_release_are_its_section(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(
        "# C\n\n## [Unreleased]\n\n- new\n\n## [1.2.0] - 2026-01-01\n\n- a\n- b\n\n## [1.1.0]\n"
    )
    assert notes(tmp_path, "1.2.0") == "- a\n- b\n"
    for version in ("1.1.0", "9.9.9"):
        with pytest.raises(SystemExit, match="write it before the tag"):
            notes(tmp_path, version)


def test_every_image_of_the_release_is_one_of_the_dockerfile() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    listed = set(workflow["jobs"]["images"]["strategy"]["matrix"]["server"])
    assert {"all", "controller", "bridge", *(server.name for server in servers())} <= listed <= set(extras)


@pytest.mark.cluster
def test_the_chart_is_packed(helm: Path, tmp_path: Path) -> None:
    ran(helm, "package", ROOT / "charts/kmcp", "--destination", tmp_path, folder=tmp_path)
    assert [path.name for path in tmp_path.glob("*.tgz")] == ["kmcp-0.1.0.tgz"]


def test_the_compose_example_starts_what_the_image_takes() -> None:
    (service,) = yaml.safe_load((ROOT / "examples/compose/compose.yaml").read_text())["services"].values()
    runtime, _ = configured(servers(), service["command"], "kmcp-suite serve", "")
    assert (runtime.port, runtime.management_port, runtime.read_only) == (8080, 8081, True)
    assert service["ports"] == ["127.0.0.1:8080:8080"], "nobody but this machine"
    assert service["image"].startswith("localhost/kmcp/")
    assert service["pull_policy"] == "never"
