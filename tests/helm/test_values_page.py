"""The page of the documentation about values says what the helm binary makes of them."""

from pathlib import Path

from tests.helm.values_page import PAGE, page


def test_the_page_is_what_helm_does(helm: Path) -> None:
    assert PAGE.read_text() == page(helm)
