"""X17: what each framework makes a model pay for the list of all tools and for an answer, as the page says."""

import os
import re
from pathlib import Path

import pytest

from tests.frameworks.converting import PAGE, NotInstalledError
from tests.frameworks.paying import TWICE, pay, suite


def row(framework: str) -> list[int]:
    """The figures of the framework on the page: the list in its three forms, the answer in its three."""
    (line,) = re.findall(rf"^\| {re.escape(framework)} \|((?: [\d,]+ \|){{6}})$", PAGE.read_text(), re.MULTILINE)
    return [int(cell.replace(",", "")) for cell in line.split("|")[:-1]]


# Of all seven when the page is written; each takes long to import.
@pytest.mark.parametrize("framework", ["google-adk", "google-genai", "langchain-mcp-adapters"])
async def test_nobody_pays_twice_who_asks_for_one_form(framework: str, tmp_path: Path) -> None:
    try:
        async with suite(tmp_path / "none") as url:
            paid = await pay(framework, url)
    except NotInstalledError as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))
    unset, both, one = paid.values()
    assert (both.answered > 1.7 * one.answered) == (framework in TWICE)
    assert one.answered < 1.1 * min(each.answered for each in paid.values())
    assert (both.listed > 2 * one.listed) == (framework == "google-adk")
    assert unset == (one if framework == "google-adk" else both)
    # What is found in the documentation, and so the answer, changes with it.
    assert [each.listed for each in paid.values()] == pytest.approx(row(framework)[:3], rel=0.1)
