"""`kmcp-suite skills`: what is listed and written, and what is never overwritten."""

from pathlib import Path

import pytest
from fastmcp.server.providers.skills import SkillsDirectoryProvider

from kmcp_runtime.commands import main
from kmcp_runtime.runbooks.wording import skill_text
from tests.runbooks.stock import RUNBOOKS


def skills(*words: str) -> int:
    return main(["skills", *words])


def written(folder: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in folder.glob("*/SKILL.md")}


def test_every_runbook_is_a_folder_that_others_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a" / "skills"
    assert skills("export", str(folder)) == 0
    assert f"{len(RUNBOOKS)} skills, {len(RUNBOOKS)} of them written anew" in capsys.readouterr().err
    assert written(folder) == {name: skill_text(runbook) for name, runbook in RUNBOOKS.items()}
    assert skills("export", str(folder)) == 0
    assert "0 of them written anew" in capsys.readouterr().err


async def test_another_reader_of_skills_finds_them(tmp_path: Path) -> None:
    assert skills("export", str(tmp_path)) == 0
    found = await SkillsDirectoryProvider(roots=tmp_path).list_resources()
    uris = {str(resource.uri) for resource in found}
    assert {f"skill://{name}/SKILL.md" for name in RUNBOOKS} <= uris


def test_servers_choose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert skills("export", str(tmp_path), "--server", "helm") == 0
    assert written(tmp_path).keys() == {"roll-back-release"}
    capsys.readouterr()
    assert skills("list", "--server", "kubernetes", "--server", "helm") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {
        name for name, runbook in RUNBOOKS.items() if {*runbook.servers} <= {"kubernetes", "helm"}
    }
    assert skills("list", "--server", "kubernets") == 2
    assert "did you mean kubernetes?" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["crash-loop", "crash-loop/SKILL.md"])
def test_nothing_is_written_through_a_link(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a folder nor a file, whether or not what it leads to is there; a link as DIR itself is its owner's."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "skills"
    link = folder / place
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    for there in (False, True):
        if there and place.endswith(".md"):
            elsewhere.write_text(skill_text(RUNBOOKS["crash-loop"]) + "mine")  # it bears the mark of this command
        elif there:
            elsewhere.mkdir()
        assert skills("export", str(folder)) == 2
        assert f"{link} is a link" in capsys.readouterr().err
        assert [path for path in folder.rglob("*") if path not in (link, link.parent)] == []
    assert list(elsewhere.iterdir()) == [] if elsewhere.is_dir() else elsewhere.read_text().endswith("mine")
    link.unlink()
    (tmp_path / "linked").symlink_to(folder)
    assert skills("export", str(tmp_path / "linked")) == 0


def test_what_changed_is_renewed_and_what_is_somebody_elses_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert skills("export", str(tmp_path)) == 0
    older = tmp_path / "crash-loop" / "SKILL.md"
    older.write_text(older.read_text() + "A line of an older version.\n")
    assert skills("export", str(tmp_path)) == 0
    assert older.read_text() == skill_text(RUNBOOKS["crash-loop"])
    foreign = tmp_path / "roll-back" / "SKILL.md"
    foreign.write_text("---\nname: roll-back\n---\nMine.\n")
    older.unlink()
    capsys.readouterr()
    assert skills("export", str(tmp_path)) == 2
    assert f"{foreign} is not from this command; move it away" in capsys.readouterr().err
    assert foreign.read_text().endswith("Mine.\n")
    assert not older.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert skills("export", str(tmp_path / "file")) == 2
    assert "Not a directory" in capsys.readouterr().err
