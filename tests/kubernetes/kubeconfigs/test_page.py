"""The page of the corpus is fresh."""

from tests.kubernetes.kubeconfigs.page import PATH, text


def test_the_page_is_fresh() -> None:
    assert PATH.read_text() == text(), "run python -m tests.kubernetes.kubeconfigs.page"
