"""An image of the suite is made anew by what gets into it, and by nothing else of a checkout."""

import re
from pathlib import Path

from tests.cluster.suite_images import ROOT, copy_sources, digest

DOCUMENTATION = ("CHANGELOG.md", "README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/guides/policy.md")
BUILT_IN = ("servers/kmcp_clock/server.py", "kmcp_controller/__init__.py", "charts/kmcp/values.yaml", "catalog.yaml")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_documentation_makes_no_image_anew_and_what_is_built_in_does(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    copy_sources(ROOT, checkout)
    (checkout / "servers/kmcp_clock/__pycache__").mkdir()
    before = digest(checkout)
    copy_sources(checkout, tmp_path / "before")
    for name in (*DOCUMENTATION, "tests/a.py", "servers/kmcp_clock/__pycache__/a.pyc"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("- a line more\n")
    assert digest(checkout) == before
    copy_sources(checkout, tmp_path / "after")
    assert contents(tmp_path / "after") == contents(tmp_path / "before")
    for name in BUILT_IN:
        (checkout / name).write_text((checkout / name).read_text() + "# a line more\n")
        assert digest(checkout) != before, name
        before = digest(checkout)


def test_whatever_the_dockerfile_copies_of_a_checkout_is_there(tmp_path: Path) -> None:
    """But the programs of servers that call some, without which these images are built."""
    copied = re.findall(r"^COPY (?!--from|programs)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    copy_sources(ROOT, tmp_path)
    names = [name for line in copied for name in line.split()]
    assert "servers" in names
    assert [name for name in names if not (tmp_path / name).exists()] == []
