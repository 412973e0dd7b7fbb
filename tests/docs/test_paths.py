"""Paths of the code that the documentation names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PATH = re.compile(r"`((?:servers|kmcp_controller|checks|tests|bench|charts|examples)/[\w./-]*)`")
PAGES = (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
# The files that the recipes of the guide tell to write.
_WRITTEN = ("servers/kmcp_vault", "tests/vault/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_on_the_page_exists(page: Path) -> None:
    named = {path for path in _PATH.findall(page.read_text()) if not path.startswith(_WRITTEN)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_steps_of_a_call_and_of_a_pass_lead_to_their_files() -> None:
    for page, files in (("call.md", 7), ("mcpserver.md", 8)):
        assert len(set(_PATH.findall((ROOT / "docs/concepts" / page).read_text()))) >= files
