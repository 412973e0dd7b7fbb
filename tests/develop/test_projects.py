"""V16: a server of one's own by commands: begun, extended, checked; and refused whole where it cannot be."""

import contextlib
import importlib.metadata
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kmcp_develop.cli.build import build
from kmcp_develop.cli.init import add_tool, init
from kmcp_develop.cli.test import test as contract
from kmcp_develop.project import names, scaffold
from kmcp_develop.project.description import ProjectError, read_project
from kmcp_develop.project.scaffold import fill
from tests.delivery.conftest import ran
from tests.develop.making import (
    LONGEST,
    ends_with_words,
    make,
    serves_what_is_written,
    starts_where_settings_are_empty,
)
from tests.installed import SUITE, program
from tests.slowness import Deadline, scaled


@pytest.mark.parametrize("kind", ["suite", "plain"])
@pytest.mark.timeout(900)
def test_a_new_project_passes_its_own_checks_and_so_does_a_tool_that_is_added(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "größe und maß" / "acme-vault"
    assert init(["acme-vault", "--kind", kind, "--output", str(project)]) == 0
    if kind == "suite":  # the other one shows both at once: each round takes a minute
        assert "2 passed" in make(project, "check", "test")
    assert add_tool(["list_shelves", "--project", str(project)]) == 0
    assert "3 passed" in make(project, "check", "test")
    assert "| `acme_vault_list_shelves` |" in (project / "README.md").read_text()
    assert contract([str(project), "--strict", "--timeout", str(scaled(60))]) == 0
    manifest = yaml.safe_load((project / "mcpserver.yaml").read_text())
    assert manifest["metadata"]["name"] == "acme-vault"
    assert "kind: Deployment" in ran(SUITE, "plan", "-f", project / "mcpserver.yaml", folder=project)
    if kind == "suite":
        serves_what_is_written(project, project / "acme_vault" / "client.py", "acme_vault_greet")
    else:
        starts_where_settings_are_empty(read_project(project))
        ends_with_words(read_project(project))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Acme.Vault", "'acme-vault' would do"),
        ("größe", "is not a name"),
        ("../up", "is not a name"),
        ("-x", "is not a name"),
        ("a" * 51, "at most 50 characters"),
        ("class", "choose another name"),
        ("json", "choose another name"),
        ("mcp", "an installed package"),
        ("pydantic", "an installed package"),
        ("pydantic-core", "an installed package"),
        ("kmcp-suite", "an installed package"),
        ("kmcp-runtime", "an installed package"),
        ("kmcp-develop", "an installed package"),
        ("pyyaml", "an installed package"),
        ("yaml", "an installed package"),
        ("google", "an installed package"),
        ("pytest", "an installed package"),
        ("kubernetes", "is a server that is installed already"),
        ("", "is not a name"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(
    name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init(["--kind", "plain", "--", name]) == 1
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_no_installed_distribution_and_no_module_of_one_is_a_name() -> None:
    """In Python; a project of another language shares nothing with them."""
    every = {each.name.lower().replace("_", "-").replace(".", "-") for each in importlib.metadata.distributions()}
    every |= {each.replace("_", "-") for each in importlib.metadata.packages_distributions() if each.isidentifier()}
    for name in every:
        with pytest.raises(names.InvalidNameError):
            names.check_project(name)
    assert names.check_project("pydantic", "go") == "pydantic"


@pytest.mark.parametrize("name", ["vault", "bench", "my-mcp", "acme-pydantic"])
def test_a_folder_beside_which_a_project_is_made_takes_no_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / names.package_of(name)).mkdir()
    (tmp_path / names.package_of(name) / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path), *(each for each in sys.path if "site-packages" in each)])
    assert names.check_project(name) == name


@pytest.mark.parametrize("kind", ["suite", "plain"])
def test_no_name_is_too_long_for_the_formatter(tmp_path: Path, kind: str) -> None:
    project = tmp_path / LONGEST
    assert init([LONGEST, "--kind", kind, "--output", str(project)]) == 0
    assert add_tool(["as_long_as_it", "--project", str(project)]) == 0
    ruff = program("ruff")
    ran(ruff, "format", "--check", ".", folder=project)
    ran(ruff, "check", ".", folder=project)


def test_what_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An existing folder, a file in its place, and a repository without files, which is taken."""
    full, file, repository = tmp_path / "full", tmp_path / "file", tmp_path / "repository"
    full.mkdir()
    (full / "mine").write_text("x")
    file.write_text("x")
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    for target, told in ((full, "is not empty (mine)"), (file, "exists and is not a folder")):
        assert init(["vault", "--kind", "plain", "--output", str(target)]) == 1
        assert told in capsys.readouterr().err
    assert init(["vault", "--kind", "plain", "--output", str(repository)]) == 0
    assert {".git", "kmcp.yaml", "Makefile"} <= {path.name for path in repository.iterdir()}
    assert init(["vault", "--kind", "plain", "--output", "/proc/none/vault"]) == 1
    assert "cannot be made" in capsys.readouterr().err
    # What fails in the middle leaves no folder of the way to it either.
    lost = {"vendor/lost.whl": tmp_path / "nowhere"}
    with pytest.raises(ProjectError, match="cannot be made"):
        scaffold.make(tmp_path / "a" / "b" / "vault", "vault", "python", "plain", {}, extra=lost)
    assert init(["vault", "--language", "go", "--kind", "suite", "--output", str(tmp_path / "c" / "vault")]) == 1
    assert "there is no template of kind suite for go" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "repository"]
    assert (full / "mine").read_text() == "x"


def test_an_interrupt_leaves_all_or_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen([SUITE, "init", "vault"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = Deadline(60)
    try:
        # As soon as anything is there; the interrupt comes at some moment of the making, or after it.
        while not list(tmp_path.iterdir()) and process.poll() is None:
            assert not deadline.passed()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=scaled(30))
    finally:
        process.kill()
        process.communicate()
    left = [path.name for path in tmp_path.iterdir()]
    assert left in ([], ["vault"])
    assert not left or (tmp_path / "vault" / "Makefile").is_file()


def test_a_tool_is_added_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "vault"
    assert init(["vault", "--kind", "plain", "--output", str(project)]) == 0
    before = sorted(str(path) for path in project.rglob("*"))
    for name, told in (
        ("greet", "exists already"),
        ("Über", "is not the name of a tool"),
        ("class", "is not the name"),
        ("2nd", "is not the name"),
        ("vault_", "is not the name"),
        ("a__b", "is not the name"),
        ("x" * 60, "there is room for 58"),
    ):
        assert add_tool([name, "--project", str(project)]) == 1
        assert told in capsys.readouterr().err
    assert add_tool(["x", "--project", str(tmp_path)]) == 1
    assert "is not a project: it has no kmcp.yaml" in capsys.readouterr().err
    assert sorted(str(path) for path in project.rglob("*")) == before
    (project / "kmcp.yaml").write_text("name: [")
    assert contract([str(project)]) == 2
    assert "kmcp.yaml" in capsys.readouterr().err


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_is_refused_with_words(text: str) -> None:
    with contextlib.suppress(names.InvalidNameError):
        found = names.check_project(text)
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", found)
        assert names.package_of(found).isidentifier()


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text()), st.text(alphabet="ab{}$ \n"))
def test_a_template_changes_at_its_places_alone(values: dict[str, str], text: str) -> None:
    marked = "".join(f"{{{{{name}}}}}\n" for name in values)
    assert fill(marked, values) == "".join(f"{value}\n" for value in values.values())
    assert fill(text, {"a": "A", "b": "B", **dict.fromkeys(re.findall(r"\{\{([ab]+)\}\}", text), "")}) is not None


ENGINE = """#!/bin/sh
echo "$@" >> "{log}"
case "$1" in info) exit {info};; build|bud) echo "a step failed" >&2; exit {build};; esac
"""


@pytest.mark.parametrize(
    ("info", "code", "argv", "told"),
    [
        (0, 0, [], "localhost/vault:0.1.0: built with docker"),
        (1, 0, [], "no engine can build images here (docker: it fails"),
        (0, 1, [], "docker could not build localhost/vault:0.1.0: a step failed"),
        (0, 0, ["--push"], "is an image of this machine: name one of a registry with --image"),
        (0, 0, ["--image", "Not An Image"], "is not the name of an image"),
        (0, 0, ["--image", "registry.example.com/t/vault:2", "--push"], "built with docker; pushed"),
    ],
)
def test_build_takes_the_engine_that_works_and_says_what_fails(
    info: int,
    code: int,
    argv: list[str],
    told: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a program in the engine's place; the real one is buildah, in the tests of the cluster."""
    project, programs = tmp_path / "vault", tmp_path / "programs"
    assert init(["vault", "--kind", "plain", "--output", str(project)]) == 0
    programs.mkdir()
    engine = programs / "docker"
    engine.write_text(ENGINE.format(log=tmp_path / "log", info=info, build=code))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/nowhere")
    engine.write_text(engine.read_text().replace("#!/bin/sh", "#!/bin/sh\nPATH=/usr/bin:/bin"))
    built = build([str(project), *argv])
    printed = capfd.readouterr()
    assert told in printed.out + printed.err
    assert built == int("built with" not in told)
    if "--push" in argv and not built:
        assert "registry.example.com/t/vault:2" in (project / "mcpserver.yaml").read_text()
        assert "push registry.example.com/t/vault:2" in (tmp_path / "log").read_text()
