"""What the pages name exists: commands with their options, targets of make, settings, and values of the chart."""

import json
import re
import textwrap
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import jsonschema
import pytest
import yaml

from kmcp_runtime import commands

ROOT = Path(__file__).parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / folder / "README.md" for folder in ("bench", "examples", "charts/kmcp")),
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name not in ("reference", "tools")),
]
_BLOCK = re.compile(r"^( *)```[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:(?<=`)|\bmake [a-z]+; |^ *|\| )(?:\S*/)?kmcp-suite (?P<words>[a-z][^`\n|#]*)", re.MULTILINE)
_MAKE = re.compile(r"(?:(?<=`)|^ *)make ([a-z][a-z-]*)", re.MULTILINE)
_SETTING = re.compile(r"\b(?:KMCP|PROMETHEUS|GRAFANA)_[A-Z][A-Z_]*\b")
_CODE_OF_OTHERS = ("tests", "evals", "examples", "bench", "servers/kmcp_bridge")


def code(page: Path) -> str:
    """What a page shows to be typed: its blocks, and what is in backticks; a command may go on in the next line."""
    text = page.read_text().replace("\\\n", " ")
    blocks = [textwrap.dedent(body) for _, body in _BLOCK.findall(text)]
    return "\n".join([*blocks, *(f"`{inline}`" for inline in re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text)))])


@pytest.fixture(scope="module")
def shown() -> dict[Path, str]:
    found = {page: code(page) for page in PAGES}
    assert len(_COMMAND.findall("\n".join(found.values()))) > 40
    return found


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        commands.main([*words, "--help"])
    assert ended.value.code == 0, words
    return capsys.readouterr().out


def test_help_says_of_every_command_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["--help"]) == 0
    listed = dict(re.findall(r"^  (\S+)  +(\S.*)$", capsys.readouterr().out, re.MULTILINE))
    assert set(listed) == {found.name for found in entry_points(group=commands.COMMANDS)}
    assert [about for about in listed.values() if not about.endswith(".") or len(about) > 120] == []


def test_commands_of_the_pages_exist_with_their_options(
    shown: dict[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    known = {found.name for found in entry_points(group=commands.COMMANDS)}
    helps: dict[tuple[str, ...], str] = {}
    for page, text in shown.items():
        for words in (found["words"].split() for found in _COMMAND.finditer(text)):
            assert words[0] in known, (page, words)
            options = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(?:=.*)?", word)}
            if not options:
                continue
            actions = words[1:2] if words[0] in ("audit", "catalog", "docs", "policy", "skills") else []
            key = (words[0], *actions)
            helps[key] = helps.get(key) or help_of(capsys, *key)
            assert [each for each in options if not re.search(rf"{each}\b", helps[key])] == [], (page, words)
    assert len(helps) > 8


def test_targets_of_make_exist(shown: dict[Path, str]) -> None:
    targets = {line.partition(":")[0] for line in (ROOT / "Makefile").read_text().splitlines()}
    named = {(page, target) for page, text in shown.items() for target in _MAKE.findall(text)}
    assert len(named) > 20
    assert [(page, target) for page, target in named if target not in targets] == []


def test_settings_of_the_pages_exist() -> None:
    settings = set(_SETTING.findall((ROOT / "docs/reference/settings.md").read_text()))
    files = [path for folder in _CODE_OF_OTHERS for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    others = {name for path in files for name in _SETTING.findall(path.read_text())}
    named = {(page, name) for page in PAGES for name in _SETTING.findall(page.read_text())}
    assert [(page, name) for page, name in sorted(named) if name not in settings | others] == []


def values_of(page: Path) -> Iterator[dict[str, object]]:
    """The blocks of a page that are values of the chart; what stands for a digest becomes one."""
    names = set(yaml.safe_load((ROOT / "charts/kmcp/values.yaml").read_text()))
    for _, body in _BLOCK.findall(page.read_text()):
        try:
            found = yaml.safe_load(re.sub(r"\b[0-9a-f]{4}…", "a" * 64, textwrap.dedent(body)))
        except yaml.YAMLError:
            continue
        if isinstance(found, dict) and set(found) <= names and not isinstance(found.get("servers"), list):
            yield found


def test_values_of_the_pages_are_the_charts() -> None:
    schema = json.loads((ROOT / "charts/kmcp/values.schema.json").read_text())
    # What a block leaves out has its default.
    checker = jsonschema.Draft202012Validator(schema | {"required": []})
    blocks = [(page, values) for page in PAGES for values in values_of(page)]
    assert len(blocks) >= 8
    for page, values in blocks:
        assert [error.message for error in checker.iter_errors(values)] == [], page
    assert list(checker.iter_errors({"audit": {"requierd": True}}))
