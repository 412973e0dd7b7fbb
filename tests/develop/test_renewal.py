"""`init --update`: what the template changed comes in, and what its author changed stays."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_develop.cli.init import add_tool, init
from kmcp_develop.project import scaffold
from kmcp_develop.project.description import read_project
from kmcp_develop.project.renewal import renew


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def newer(folder: Path, monkeypatch: pytest.MonkeyPatch, *paths: str) -> None:
    """Another version of the suite, whose templates for Go end with one line more in `paths`."""
    templates = folder / "templates"
    for source in scaffold.TEMPLATES.rglob("*.tpl"):
        file = templates / source.relative_to(scaffold.TEMPLATES)
        file.parent.mkdir(parents=True, exist_ok=True)
        kind, _, inner = source.relative_to(scaffold.TEMPLATES).as_posix().removesuffix(".tpl").partition("/")
        file.write_text(
            source.read_text() + ("// newer\n" if (kind, inner) in {("go-plain", at) for at in paths} else "")
        )
    monkeypatch.setattr(scaffold, "TEMPLATES", templates)


def test_a_project_is_renewed_around_what_its_author_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "vault"
    argv = ["vault", "--language", "go", "--output", str(project)]
    assert init(argv) == 0
    assert add_tool(["look", "--project", str(project)]) == 0
    (project / "main.go").write_text("// mine\n")
    (project / "failure.go").write_text("// mine\n")
    (project / "hints.go").unlink()
    before = contents(project)
    assert init([*argv, "--update"]) == 0
    assert contents(project) == before, "nothing is new"
    newer(tmp_path, monkeypatch, "failure.go", "hints.go", "greet_tool.go", "go.mod")
    # What fails in the middle changes nothing.
    (project / "failure.go.new").mkdir()
    assert init([*argv, "--update"]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert contents(project) == before
    (project / "failure.go.new").rmdir()
    assert init([*argv, "--update"]) == 1
    printed = capsys.readouterr().out
    assert "2 files renewed, 1 to merge" in printed
    assert "you changed failure.go, and so did the template" in printed
    after = contents(project)
    changed = {path for path in after if after[path] != before.get(path)}
    assert changed == {"greet_tool.go", "go.mod", "failure.go.new", ".kmcp-template.json"}
    assert (after["greet_tool.go"], after["failure.go"]) == (before["greet_tool.go"] + "// newer\n", "// mine\n")
    assert init([*argv, "--update"]) == 0, "it is told once"


def test_the_wheel_of_the_suite_is_replaced_when_the_new_one_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "vault"
    argv = ["vault", "--kind", "suite", "--output", str(project)]
    assert init(argv) == 0
    (wheel,) = (project / "vendor").iterdir()
    older = wheel.with_name("kmcp_suite-0.0.1-py3-none-any.whl")
    wheel.rename(older)
    wheel.mkdir()
    (wheel / "in-the-way").touch()
    assert init([*argv, "--update"]) == 1
    assert wheel.name in capsys.readouterr().err
    assert older.is_file(), "nothing is lost where the new one cannot be put"
    (wheel / "in-the-way").unlink()
    wheel.rmdir()
    assert init([*argv, "--update"]) == 0
    assert list((project / "vendor").iterdir()) == [wheel]


def test_what_cannot_be_renewed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "vault"
    argv = ["vault", "--language", "go", "--output", str(project)]
    assert init([*argv, "--update"]) == 1
    assert "is not a project" in capsys.readouterr().err
    assert init(argv) == 0
    assert init(["other", "--output", str(project), "--update"]) == 1
    assert "is the project vault, not other" in capsys.readouterr().err
    record = project / ".kmcp-template.json"
    for content, told in (("[", "json"), ("[]", "a digest for each path"), ('{"a": 1}', "a digest for each path")):
        record.write_text(content)
        before = contents(project)
        assert init([*argv, "--update"]) == 1
        assert told in capsys.readouterr().err
        assert contents(project) == before
    record.unlink()
    assert init([*argv, "--update"]) == 1
    assert "cannot be told from the template" in capsys.readouterr().err


@settings(deadline=None, max_examples=20)  # each makes a project
@given(
    st.sets(st.sampled_from(["main.go", "README.md", "Makefile", "kmcp.yaml"])), st.text(alphabet="ab\n", max_size=5)
)
def test_no_word_of_the_author_is_lost(tmp_path_factory: pytest.TempPathFactory, changed: set[str], text: str) -> None:
    project = tmp_path_factory.mktemp("renewal") / "vault"
    assert init(["vault", "--language", "go", "--output", str(project)]) == 0
    description = read_project(project)
    for path in changed:
        (project / path).write_text(text)
    before = contents(project)
    renew(description, {})
    assert {path: content for path, content in contents(project).items() if path in before} == before
