"""V7: a server of another distribution has its own facts wherever it is named; V8: nothing unpublished is named."""

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from kmcp_runtime.catalog import Metadata, Origin, dump, listed, load, server_json
from kmcp_runtime.catalog_changes import diff, merge, merged
from kmcp_runtime.publishing import Publishing, PublishingError, published, read
from tests.delivery.conftest import ROOT, ran
from tests.installed import SUITE
from tests.runtime.test_catalog import catalog, server, tool

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-vault"
version = "1.2.0"
license = "MIT"
description = "Tools for a vault."
dependencies = ["kmcp-suite"]

[project.urls]
Homepage = "https://vault.example.com"

[project.entry-points."kmcp.servers"]
depot = "acme_depot.server:SERVER"

[tool.hatch.build.targets.wheel]
packages = ["acme_depot"]
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PYTHONPATH with the example installed as a distribution acme-vault 1.2.0."""
    folder = tmp_path_factory.mktemp("acme")
    project, source = folder / "project", ROOT / "examples" / "acme-depot" / "acme_depot"
    for file in source.rglob("*.py"):
        copy = project / "acme_depot" / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(
            file.read_text().replace("port=8092,", 'port=8092,\n    image="registry.example.com/acme/v:1.2.0",')
        )
    (project / "pyproject.toml").write_text(PROJECT)
    ran(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=project)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return os.pathsep.join([str(folder / "installed"), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_its_facts_stand_in_the_exports(path: str, tmp_path: Path) -> None:
    env = {"PYTHONPATH": path}
    printed = ran(SUITE, "catalog", "export", "server-json", folder=tmp_path, env=env)
    servers = {
        each["title"]: each for each in json.loads(printed[printed.index("{") : printed.rindex("}") + 1])["servers"]
    }
    depot = servers["Depot"]
    assert (depot["version"], depot["websiteUrl"]) == ("1.2.0", "https://vault.example.com")
    assert [package["identifier"] for package in depot["packages"]] == ["registry.example.com/acme/v:1.2.0"]
    assert depot["name"] == "local.cluster/kmcp-depot"
    assert servers["Clock"]["version"] != "1.2.0"
    docker = ran(SUITE, "catalog", "export", "docker", folder=tmp_path, env=env)
    entry = json.loads(docker[docker.index("{") : docker.rindex("}") + 1])["registry"]["kmcp-depot"]
    assert (entry["image"], entry["metadata"]["license"]) == ("registry.example.com/acme/v:1.2.0", "MIT")


def test_the_catalog_is_checked_and_written_in_any_folder(path: str, tmp_path: Path) -> None:
    env = {"PYTHONPATH": path}
    assert "10 servers with" in ran(SUITE, "catalog", "check", folder=tmp_path, env=env)
    assert "wrote catalog.yaml: kmcp-depot" in ran(SUITE, "catalog", "write", folder=tmp_path, env=env)
    found = load((tmp_path / "catalog.yaml").read_text())
    assert (found.name, found.version, [*found.servers]) == ("acme-vault", "1.2.0", ["kmcp-depot"])
    origin = found.servers["kmcp-depot"].origin
    assert origin is not None
    assert (origin.distribution, origin.license, origin.published) == ("acme-vault", "MIT", False)
    assert ran(SUITE, "catalog", "check", folder=tmp_path, env=env) == ""
    (tmp_path / "catalog.yaml").write_text((tmp_path / "catalog.yaml").read_text().replace("Look into", "Look at"))
    assert "stale: catalog.yaml" in ran(SUITE, "catalog", "check", folder=tmp_path, env=env, code=2)
    assert "no server of your own is installed" in ran(SUITE, "catalog", "write", folder=tmp_path, code=2)


async def test_it_reports_its_own_version(path: str) -> None:
    env = {**os.environ, "PYTHONPATH": path}
    command = ["serve", "depot", "--transport", "stdio"]
    async with Client(StdioTransport(SUITE, command, env=env, keep_alive=False), mode="legacy") as client:
        assert client.initialize_result is not None
        assert client.initialize_result.server_info.version == "1.2.0"


def test_catalogs_of_several_owners_become_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = catalog(prometheus=server(tool()))
    theirs = catalog(vault=server(tool("vault_count"), metadata=Metadata(license="MIT"))).model_copy(
        update={"name": "acme-vault", "version": "1.2.0"}
    )
    one, two = tmp_path / "ours.yaml", tmp_path / "theirs.yaml"
    one.write_text(dump(ours))
    two.write_text(dump(theirs))
    assert merge([str(one), str(two)]) == 0
    found = load(capsys.readouterr().out)
    assert found.servers["kmcp-vault"].origin == Origin(distribution="acme-vault", version="1.2.0", license="MIT")
    assert found.servers["kmcp-prometheus"] == ours.servers["kmcp-prometheus"]
    assert merge([str(one), str(one)]) == 2
    assert "kmcp-prometheus: in more than one of the catalogs" in capsys.readouterr().err
    with pytest.raises(ValueError, match="tool names used twice"):
        merged([ours, catalog(other=server(tool()))])


def test_a_difference_has_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "old.yaml", tmp_path / "new.yaml"
    before, after = (server(tool(), *more) for more in ((), (tool("other", description="Something else."),)))
    one.write_text(dump(catalog(prometheus=before)))
    two.write_text(dump(catalog(prometheus=after)))
    assert diff([str(one), str(two)]) == 0
    assert "kmcp-prometheus: added other" in capsys.readouterr().out
    assert diff([str(one), str(two), "--any"]) == 1
    assert diff([str(two), str(one)]) == 1
    assert "kmcp-prometheus: BREAKING other: removed" in capsys.readouterr().out
    assert diff([str(one), str(one)]) == 0
    assert diff([str(one), str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_nothing_is_named_that_is_not_published() -> None:
    """V8: until `publishing.yaml` says otherwise; what it says is used by exports and chart."""
    found = published()
    assert found == read((ROOT / "publishing.yaml").read_text(), "publishing.yaml")
    (entry,) = listed(catalog(prometheus=server(tool())), found.images, found.package)
    body = server_json(entry)
    assert ("packages" in body) == bool(found.package or found.images)
    if not found.images:
        values = yaml.safe_load((ROOT / "charts/kmcp/values.yaml").read_text())
        assert values["image"]["repository"] == "localhost/kmcp/kmcp-controller"
    if not found.package:
        texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
        for page in texts:
            for word in ("install kmcp-suite", "install 'kmcp-suite", "uvx kmcp-suite", "pipx run kmcp-suite"):
                assert word not in page.read_text(), f"{page}: {word}"


def test_publishing_is_read_strictly() -> None:
    whole = read(
        "package: kmcp-suite\nregistry: ghcr.io\norganisation: acme\nchartRepository: oci://ghcr.io/acme/charts\n", "p"
    )
    assert whole == Publishing("kmcp-suite", "ghcr.io", "acme", "oci://ghcr.io/acme/charts")
    assert (whole.images, whole.image_prefix, Publishing().image_prefix) == (
        "ghcr.io/acme",
        "ghcr.io/acme",
        "localhost/kmcp",
    )
    assert whole.install_hint("helm") == "install kmcp-suite[helm]"
    for text, told in (
        ("package: Kmcp Suite\n", "package: 'Kmcp Suite' does not match"),
        ("organisation: acme\n", "a registry is needed too"),
        ("pypi: x\n", "it takes package, registry"),
        ("- a\n", "it takes package"),
    ):
        with pytest.raises(PublishingError, match=told):
            read(text, "publishing.yaml")
