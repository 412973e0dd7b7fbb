"""Repositories over real HTTP: added where allowed, refreshed one by one, charts taken from where they may be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from tests.helm.conftest import Cli
from tests.helm.serving import package, registry, repository
from tests.mcp import ToolCaller
from tests.patience import patient


@pytest.fixture
def cli(helm: Path, tmp_path: Path) -> Cli:
    """The binary without a cluster: none of this needs one."""
    return Cli(helm, tmp_path)


@asynccontextmanager
async def serving(helm: Path, **settings: Any) -> AsyncIterator[ToolCaller]:
    given = HelmSettings(helm=str(helm), kubeconfig="/no/cluster", **settings)
    async with Client(assemble(SERVER, given, patient(approval="off"))) as client:
        yield ToolCaller(client)


async def test_a_repository_is_added_used_and_refreshed(helm: Path, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    async with repository(cli, folder, "1.0.0", "1.1.0") as url, serving(helm, chart_hosts=url) as tools:
        plan = await tools.ok("helm_repo_add", name="stable", url=url, dry_run=True)
        assert (plan["changed"], plan["dry_run"]) == (True, True)
        assert (await tools.ok("helm_repo_update"))["items"] == []
        added = await tools.ok("helm_repo_add", name="stable", url=url)
        assert (added["charts"], added["changed"], added["url"]) == (1, True, url)
        assert "KMCP_CHART_REPOSITORIES" in added["hint"]
        again = await tools.ok("helm_repo_add", name="stable", url=url)
        assert again["changed"] is False
        shown = await tools.ok("helm_show", chart="stable/web", what="chart")
        assert shown["version"] == "1.1.0"
        package(cli, folder, "2.0.0")
        cli("repo", "index", str(folder))
        (refreshed,) = (await tools.ok("helm_repo_update", names="stable"))["items"]
        assert (refreshed["name"], refreshed["charts"], "error" in refreshed) == ("stable", 1, False)
        assert (await tools.ok("helm_show", chart="stable/web", what="chart"))["version"] == "2.0.0"


async def test_a_new_version_is_found_without_being_told_to_look(helm: Path, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    async with repository(cli, folder, "1.0.0") as url:
        async with serving(helm, chart_repositories=f"stable={url}") as tools:
            assert (await tools.ok("helm_show", chart="stable/web", what="chart"))["version"] == "1.0.0"
            package(cli, folder, "1.0.1")
            cli("repo", "index", str(folder))
            shown = await tools.ok("helm_show", chart="stable/web", what="chart", version="1.0.1")
            assert shown["version"] == "1.0.1"


RANGES = {
    "~1.4": "1.4.0",
    "1.x": "1.10.0",
    "!=1.10.0": "1.5.0",
    " >=1.4 <1.10 ": "1.5.0",
    ">1.4, != 1.10.0": "1.5.0",
    "1.4 - 1.5": "1.5.0",
    "<1.5 || ^1.5 !=1.10.x": "1.5.0",
    ">=2.0.0-0": "2.0.0-rc.10",
}
"""Ranges of the versions below, and what Helm (Masterminds/semver) takes of each."""


async def test_a_version_or_chart_that_is_not_there_names_those_that_are(helm: Path, cli: Cli, tmp_path: Path) -> None:
    # H8: pre-releases in their own order.
    versions = [f"1.{number}.0" for number in range(4, 6)] + ["1.10.0", "2.0.0-rc.10", "2.0.0-rc.1", "2.0.0-rc.2"]
    async with repository(cli, tmp_path / "served", *versions) as url:
        async with serving(helm, chart_repositories=f"stable={url}") as tools:
            error = await tools.fails("helm_show", chart="stable/web", version="9.9.9")
            assert error["code"] == "not_found"
            assert error["hint"] == "newest versions: 2.0.0-rc.10, 2.0.0-rc.2, 2.0.0-rc.1, 1.10.0, 1.5.0"
            error = await tools.fails("helm_show", chart="stable/webb")
            assert (error["code"], error["hint"]) == ("not_found", "did you mean web?")
            error = await tools.fails("helm_show", chart="other/web")
            assert error["code"] == "denied"
            assert "repositories: stable" in error["message"]
            error = await tools.fails("helm_show", chart="stable/web", version="^7")
            assert error["code"] == "not_found"
            for wanted, found in RANGES.items():
                assert (await tools.ok("helm_show", chart="stable/web", version=wanted))["version"] == found, wanted
            assert (await tools.ok("helm_show", chart="stable/web"))["version"] == "1.10.0"


async def test_one_failing_repository_does_not_fail_the_others(helm: Path, cli: Cli, tmp_path: Path) -> None:
    async with repository(cli, tmp_path / "served", "1.0.0") as url:
        configured = f"good={url},gone=http://127.0.0.1:9"
        async with serving(helm, chart_repositories=configured) as tools:
            answer = await tools.ok("helm_repo_update")
            good, gone = answer["items"]
            assert (good["name"], good["charts"], "updated" in good) == ("good", 1, True)
            assert "127.0.0.1:9" in gone["error"]
            assert "updated" not in gone
            error = await tools.fails("helm_repo_update", names=["goood"])
            assert (error["code"], error["hint"]) == ("not_found", "did you mean good?")
            error = await tools.fails("helm_show", chart="gone/web")
            assert error["code"] == "unavailable"


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ({"url": "https://evil.test/charts"}, "denied", "not among the hosts"),
        ({"url": "http://127.0.0.1:1/"}, "denied", "only https"),
        ({"url": "https://127.0.0.1/"}, "denied", "not among the hosts"),
        ({"url": "https://localhost/"}, "denied", "not a public address"),
        ({"url": "file:///etc"}, "denied", "only https"),
        ({"url": "https://user:planted-pass@localhost/"}, "denied", "credentials"),
        ({"url": "--password=x"}, "denied", "only https"),
        ({"url": "oci://registry.test/x"}, "bad_argument", "as the chart instead"),
        ({"name": "--debug"}, "bad_argument", "starts with '-'"),
        ({"name": "a/b"}, "bad_argument", "name"),
        ({"name": "a b"}, "bad_argument", "name"),
        ({"name": "fixed"}, "conflict", "fixed already has the URL https://charts.test"),
    ],
)
async def test_what_may_not_be_added_is_refused(helm: Path, arguments: dict[str, Any], code: str, why: str) -> None:
    settings = {"chart_hosts": "localhost,oci://registry.test", "chart_repositories": "fixed=https://charts.test"}
    async with serving(helm, **settings) as tools:
        error = await tools.fails("helm_repo_add", **{"name": "new", "url": "https://charts.test/other", **arguments})
        assert error["code"] == code
        assert why in error["message"] + str(error.get("hint"))
        assert "planted-pass" not in str(error)


async def test_an_address_that_is_no_repository_is_told(helm: Path, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    async with repository(cli, folder, "1.0.0") as url, serving(helm, chart_hosts=url) as tools:
        error = await tools.fails("helm_repo_add", name="new", url=f"{url}/nothing")
        assert error["code"] == "unavailable"
        assert "not a valid chart repository" in error["message"]


async def test_an_index_may_not_point_to_other_hosts(helm: Path, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    async with repository(cli, folder, "1.0.0") as url:
        index = folder / "index.yaml"
        document = yaml.safe_load(index.read_text())
        document["entries"]["web"][0]["urls"] = ["http://169.254.169.254/latest/web-1.0.0.tgz"]
        index.write_text(yaml.safe_dump(document))
        async with serving(helm, chart_repositories=f"stable={url}") as tools:
            error = await tools.fails("helm_show", chart="stable/web")
            assert error["code"] == "denied"
            assert "points to http://169.254.169.254" in error["message"]


async def test_repositories_outlive_the_process_where_a_home_is_configured(
    helm: Path, cli: Cli, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    async with repository(cli, tmp_path / "served", "1.0.0") as url:
        async with serving(helm, chart_hosts=url, helm_home=home) as tools:
            added = await tools.ok("helm_repo_add", name="kept", url=url)
            assert "hint" not in added
        async with serving(helm, chart_hosts=url, helm_home=home, chart_repositories=f"fixed={url}") as tools:
            assert {item["name"] for item in (await tools.ok("helm_repo_update"))["items"]} == {"kept", "fixed"}


async def test_configured_repositories_bring_their_credentials_and_never_show_them(
    helm: Path, cli: Cli, tmp_path: Path
) -> None:
    async with repository(cli, tmp_path / "served", "1.0.0") as url:
        entry = {"name": "private", "url": url, "username": "me", "password": "planted-repository-password"}
        path = tmp_path / "repositories.yaml"
        path.write_text(yaml.safe_dump({"apiVersion": "", "repositories": [entry]}))
        async with serving(helm, helm_repositories=str(path)) as tools:
            answer = await tools.ok("helm_repo_update")
            assert answer["items"][0]["charts"] == 1
            assert "planted" not in str(answer)
            assert (await tools.ok("helm_show", chart="private/web", what="chart"))["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"chart_repositories": "nonsense"}, "KMCP_CHART_REPOSITORIES"),
        ({"helm_repositories": "/no/such/file"}, "/no/such/file"),
    ],
)
async def test_a_wrong_setting_is_told_by_the_tools_that_need_it(
    helm: Path, settings: dict[str, str], why: str
) -> None:
    async with serving(helm, **settings) as tools:
        error = await tools.fails("helm_repo_update")
        assert (error["code"], why in error["message"]) == ("unavailable", True)


async def test_a_chart_comes_from_a_registry_that_is_allowed(helm: Path, cli: Cli, tmp_path: Path) -> None:
    (archive,) = package(cli, tmp_path / "archives", "1.2.3")
    async with registry(archive, "charts/web", "1.2.3") as place, serving(helm, chart_hosts=f"http://{place}") as tools:
        shown = await tools.ok("helm_show", chart=f"oci://{place}/charts/web", version="1.2.3", what="chart")
        assert (shown["chart"], shown["version"]) == ("web", "1.2.3")
        newest = await tools.ok("helm_show", chart=f"oci://{place}/charts/web")
        assert newest["version"] == "1.2.3"
        error = await tools.fails("helm_show", chart=f"oci://{place}/charts/web", version="9.9.9")
        assert error["code"] == "not_found"
        error = await tools.fails("helm_show", chart="oci://other.test/charts/web")
        assert error["code"] == "denied"


async def test_a_chart_comes_as_an_archive_from_an_allowed_host(helm: Path, cli: Cli, tmp_path: Path) -> None:
    async with repository(cli, tmp_path / "served", "1.0.0") as url, serving(helm, chart_hosts=url) as tools:
        assert (await tools.ok("helm_show", chart=f"{url}/web-1.0.0.tgz"))["version"] == "1.0.0"
        error = await tools.fails("helm_show", chart=f"{url}/web-2.0.0.tgz")
        assert (error["code"], "404" in error["message"]) == ("not_found", True)
