"""Pages of git repositories and Go modules: fetched by the real programs, from real repositories of this machine."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from kmcp_querydoc.sources import definitions
from kmcp_querydoc.sources.definitions import Source
from tests.cluster import binaries
from tests.querydoc.making import build, open_tools, write

MODULE = "example.com/depot"
MAIN = """// Package main is the command depot.
package main

import "github.com/spf13/cobra"

const storeHelp = `
Store a file in the depot.

    depot store file.txt
` + "See also 'depot list'.\\n"

func newRootCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "depot", Short: "keep files"}
	cmd.AddCommand(newStoreCmd(), newListCmd("x", 1))
	return cmd
}

func newStoreCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store FILE",
		Short: "store a file",
		Long:  storeHelp, // not "this"
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cobra.Command{Use: "not a command of ours"}.Use)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&opts.force, "force", "f", false, "overwrite what is there")
	f.DurationVar(&opts.wait, "wait-for", 5*time.Second, fmt.Sprintf("how long to wait, of %s", units))
	addCommonFlags(f)
	return cmd
}

func newListCmd(format string, n int) *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "list the files", Example: "  depot list --all"}
	hidden := &cobra.Command{Use: "secret", Short: "not told", Hidden: true}
	old := &cobra.Command{Use: "old", Short: "list old files"}
	list.AddCommand(hidden, old)
	return list
}

func addCommonFlags(f *pflag.FlagSet) {
	f.String("output", "table", "how the answer looks")
}
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=T", "-c", "user.email=t@t.test", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Tag v1 says `first`, the branch main `second`."""
    root = write(tmp_path / "repository", {"docs/a.md": "# A\n\nfirst\n", "src/x.py": "def crocodile(): pass\n"})
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    git(root, "tag", "v1")
    write(root, {"docs/a.md": "# A\n\nsecond\n"})
    git(root, "commit", "--quiet", "--all", "--message", "two")
    return root


async def content(index: Path, url: str, **arguments: str) -> str:
    async with open_tools(index) as tools:
        text: str = (await tools.ok("get_chunks", url=url, **arguments))["chunks"][0]["content"]
        return text


@pytest.mark.parametrize(("ref", "text"), [("v1", "first"), ("main", "second"), ("HEAD", "second")])
async def test_a_repository_at_a_tag_a_branch_or_its_head(
    repository: Path, tmp_path: Path, ref: str, text: str
) -> None:
    (outcome,) = await build(tmp_path / "i.sqlite", Source(product="depot", git=str(repository), ref=ref))
    assert (outcome.pages, outcome.failure) == (1, None)
    assert await content(tmp_path / "i.sqlite", "docs/a.md") == text


async def test_a_commit_that_is_indexed_is_not_read_again(repository: Path, tmp_path: Path) -> None:
    source = Source(product="depot", git=str(repository), ref="main")
    await build(tmp_path / "i.sqlite", source)
    clone = next((tmp_path / "cache" / "git").iterdir())
    (clone / "docs" / "a.md").write_text("# A\n\ntampered\n")
    (again,) = await build(tmp_path / "i.sqlite", source)
    assert (again.pages, again.changed) == (1, 0)
    assert await content(tmp_path / "i.sqlite", "docs/a.md") == "second"
    write(repository, {"docs/a.md": "# A\n\nthird\n"})
    git(repository, "commit", "--quiet", "--all", "--message", "three")
    (changed,) = await build(tmp_path / "i.sqlite", source)
    assert (changed.pages, changed.changed) == (1, 1)
    assert await content(tmp_path / "i.sqlite", "docs/a.md") == "third"


async def test_credentials_of_an_address_do_not_get_into_the_index(repository: Path, tmp_path: Path) -> None:
    source = Source(product="depot", git=f"file://user:hunter22@localhost{repository}", ref="main")
    (outcome,) = await build(tmp_path / "i.sqlite", source)
    assert (outcome.pages, outcome.failure) == (1, None)
    assert b"hunter22" not in (tmp_path / "i.sqlite").read_bytes()
    assert b"file://localhost" in (tmp_path / "i.sqlite").read_bytes()
    (again,) = await build(tmp_path / "i.sqlite", source)
    assert again.changed == 0


async def test_another_definition_of_the_same_source_is_read_again(repository: Path, tmp_path: Path) -> None:
    source = Source(product="depot", git=str(repository), ref="main")
    await build(tmp_path / "i.sqlite", source)
    (outcome,) = await build(tmp_path / "i.sqlite", source.model_copy(update={"url": "https://d.test/{stem}"}))
    assert outcome.changed == 1


@pytest.mark.parametrize(
    ("place", "ref", "told"),
    [
        ("repository", "nowhere", "couldn't find remote ref nowhere"),
        ("nothing", "main", "does not appear to be a git repository"),
        ("ext::sh -c 'touch {tmp}/ran'", "main", "'ext' not allowed"),
    ],
)
async def test_a_repository_that_cannot_be_fetched_says_why(
    repository: Path, tmp_path: Path, place: str, ref: str, told: str
) -> None:
    address = place.replace("{tmp}", str(tmp_path)) if "::" in place else str(tmp_path / place)
    (outcome,) = await build(tmp_path / "i.sqlite", Source(product="depot", git=address, ref=ref))
    assert outcome.failure is not None
    assert told in outcome.failure.message
    assert not (tmp_path / "ran").exists()


async def test_a_program_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (outcome,) = await build(tmp_path / "i.sqlite", Source(product="depot", git=str(tmp_path)))
    assert outcome.failure is not None
    assert "the program git does not exist" in outcome.failure.message
    assert "install git" in str(outcome.failure.hint)


async def test_code_of_a_repository_is_indexed_beside_its_documents(repository: Path, tmp_path: Path) -> None:
    await build(
        tmp_path / "i.sqlite",
        Source(product="depot", version="2", git=str(repository), ref="main"),
        Source(product="depot-code", git=str(repository), ref="main", code=("py",)),
    )
    async with open_tools(tmp_path / "i.sqlite") as tools:
        (item,) = (await tools.ok("query_code", query="crocodile"))["items"]
        assert (item["path"], item["repo"], item["branch"], item["lines"]) == (
            "src/x.py",
            str(repository),
            "main",
            "1-1",
        )
        assert (await tools.ok("query_documentation", query="crocodile"))["items"] == []
        assert (await tools.fails("query_code", query="second", product_name="depot"))["code"] == "not_found"


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module proxy of files: `example.com/depot` in one version."""
    root = tmp_path / "proxy" / MODULE / "@v"
    root.mkdir(parents=True)
    (root / "list").write_text("v1.2.0\n")
    (root / "v1.2.0.info").write_text(json.dumps({"Version": "v1.2.0", "Time": "2026-01-01T00:00:00Z"}))
    (root / "v1.2.0.mod").write_text(f"module {MODULE}\n")
    files = {"go.mod": f"module {MODULE}\n", "docs/a.md": "# A\n\nfrom a module\n", "cmd/depot/main.go": MAIN}
    with zipfile.ZipFile(root / "v1.2.0.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{MODULE}@v1.2.0/{name}", text)
    settings = {"GOPROXY": (tmp_path / "proxy").as_uri(), "GONOSUMDB": "*", "GOFLAGS": "-modcacherw", "GOSUMDB": "off"}
    for name, value in {**settings, "GOMODCACHE": str(tmp_path / "modules"), "GOTOOLCHAIN": "local"}.items():
        monkeypatch.setenv(name, value)
    go = Path(binaries.go_program(print)).parent
    monkeypatch.setenv("PATH", f"{go}{os.pathsep}{os.environ['PATH']}")
    return root


@pytest.mark.usefixtures("proxy")
async def test_documents_and_commands_of_a_module(tmp_path: Path) -> None:
    source = Source(product="depot", module=f"{MODULE}@v1.2.0", under=("docs",), commands=("cmd/depot",))
    (outcome,) = await build(tmp_path / "i.sqlite", source)
    assert (outcome.pages, outcome.failure) == (5, None)
    assert await content(tmp_path / "i.sqlite", "docs/a.md") == "from a module"
    async with open_tools(tmp_path / "i.sqlite") as tools:
        page = await tools.ok("get_chunks", url="cmd/depot/depot_store.md")
        told = "\n".join(chunk["content"] for chunk in page["chunks"])
        assert page["title"] == "depot store"
        for part in (
            "store a file",
            "depot store FILE",
            "Store a file in the depot.",
            "See also 'depot list'.",
            "- `--force` (`-f`): overwrite what is there",
            "- `--wait-for`: how long to wait",
            "- `--output`: how the answer",
        ):
            assert part in told
        assert "not a command" not in told
        listed = await tools.ok("query_documentation", query="list", limit=20)
        assert {item["title"] for item in listed["items"]} >= {"depot list", "depot list old"}
        assert "secret" not in str(listed)
    (again,) = await build(tmp_path / "i.sqlite", source)
    assert (again.pages, again.changed) == (5, 0)


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize(
    ("module", "told"),
    [(f"{MODULE}@v9.9.9", "v9.9.9"), ("example.com/nothing@v1.0.0", "example.com/nothing"), ("-x@v1", "an option")],
)
async def test_a_module_that_is_not_there_says_so(tmp_path: Path, module: str, told: str) -> None:
    if module.startswith("-"):
        with pytest.raises(ValueError, match=told):
            Source(product="depot", module=module)
        return
    (outcome,) = await build(tmp_path / "i.sqlite", Source(product="depot", module=module))
    assert outcome.failure is not None
    assert outcome.failure.backend == "go"
    assert told in outcome.failure.message


def test_the_documentation_that_is_built_is_of_the_versions_that_are_tested() -> None:
    folder = binaries.MODULES
    names = {"prometheus": "prometheus", "argo-rollouts": "rollouts", "cilium": "cilium", "helm": "helm"}
    found = definitions.read(Path(definitions.__file__).parents[1] / "sources.yaml")
    assert {source.product for source in found} == set(names)
    for source in found:
        path, _, version = str(source.module).partition("@")
        assert f"{path} {version}" in (folder / names[source.product] / "go.mod").read_text()
